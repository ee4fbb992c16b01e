// Reading JSON that others wrote: values by path, each with what was expected instead where it is not that.
import { Unreadable } from './unreadable.ts'

export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json | undefined
}

/** Benchmarks write NaN and Infinity, which JSON does not know: they become null, text is left alone. */
export function parseJson(text: string): Json {
  return JSON.parse(
    text.replace(/"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g, (each) => (each[0] === '"' ? each : 'null')),
  )
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value)
}

/** The value at a path of keys; undefined where any of them is missing. */
export function at(value: Json | undefined, ...path: readonly string[]): Json | undefined {
  let here = value
  for (const key of path) {
    if (!isObject(here) || !Object.hasOwn(here, key)) return undefined
    here = here[key]
  }
  return here
}

/** A finite number, also where it is written as text. */
export function numberAt(value: Json | undefined, ...path: readonly string[]): number | undefined {
  const found = at(value, ...path)
  if (typeof found === 'number') return Number.isFinite(found) ? found : undefined
  if (typeof found !== 'string' || found.trim() === '') return undefined
  const parsed = Number(found)
  return Number.isFinite(parsed) ? parsed : undefined
}

export function textAt(value: Json | undefined, ...path: readonly string[]): string | undefined {
  const found = at(value, ...path)
  return typeof found === 'string' && found !== '' ? found : undefined
}

/** Throws Unreadable where it is anything but a list of numbers. */
export function numbersAt(value: Json | undefined, key: string): readonly number[] {
  const found = at(value, key)
  if (!isList(found)) throw new Unreadable(`"${key}" must be a list of numbers: got ${kindOf(found)}`)
  return found.map((each, i) => {
    if (typeof each !== 'number' || !Number.isFinite(each))
      throw new Unreadable(`"${key}" must be a list of numbers: item ${i + 1} is ${kindOf(each)}`)
    return each
  })
}

export function kindOf(value: Json | undefined): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (isList(value)) return 'a list'
  if (isObject(value)) return 'an object'
  return JSON.stringify(value).slice(0, 40)
}
