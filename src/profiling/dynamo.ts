// Dynamo's profiles: prefill and decode swept apart. As its planner ships them (prefill.npz and decode.npz, or JSON
// of the same arrays), and as one JSON document with the sections `prefill` and `decode`.
import {
  type DecodePoint,
  noData,
  type PrefillPoint,
  type ProfileData,
} from '../core/profiles/measurement.ts'
import { at, isObject, type Json, numberAt, numbersAt, textAt } from './json.ts'
import { type Given, setupFrom } from './setup.ts'
import { Unreadable } from './unreadable.ts'

/** Arrays by name; those of Dynamo's own files. */
export type Arrays = Readonly<Record<string, readonly number[]>>

export function isDynamoArrays(names: readonly string[]): boolean {
  return names.includes('prefill_isl') || names.includes('x_kv_usage')
}

export function isDynamoDocument(value: Json): boolean {
  return isObject(value) && (isObject(at(value, 'prefill')) || isObject(at(value, 'decode')))
}

export function dynamoArrays(file: string, arrays: Arrays, given: Given): ProfileData {
  const setup = setupFrom(given, {})
  const column = (name: string): readonly number[] => {
    const found = arrays[name]
    if (found === undefined)
      throw new Unreadable(
        `the array "${name}" is missing: a Dynamo profile has prefill_isl and prefill_ttft, or x_kv_usage, y_context_length and z_itl`,
      )
    return found
  }
  const prefill =
    arrays['prefill_isl'] === undefined
      ? []
      : prefillPoints(file, setup, {
          isl: column('prefill_isl'),
          ttft: column('prefill_ttft'),
          throughput: arrays['prefill_thpt_per_gpu'],
        })
  const decode =
    arrays['x_kv_usage'] === undefined
      ? []
      : decodePoints(file, setup, {
          kvUsage: column('x_kv_usage'),
          context: column('y_context_length'),
          itl: column('z_itl'),
          throughput: arrays['z_thpt_per_gpu'],
          maxKvTokens: arrays['max_kv_tokens']?.[0],
        })
  return { ...noData, prefill, decode }
}

export function dynamoDocument(file: string, document: Json, given: Given): ProfileData {
  const setup = setupFrom(given, {
    model: textAt(document, 'model'),
    gpu: textAt(document, 'gpu'),
    tp: numberAt(document, 'tp'),
    engine: textAt(document, 'engine'),
  })
  const prefill = at(document, 'prefill')
  const decode = at(document, 'decode')
  const throughput = (section: Json | undefined): readonly number[] | undefined =>
    at(section, 'tokens_per_s_per_gpu') === undefined ? undefined : numbersAt(section, 'tokens_per_s_per_gpu')
  return {
    ...noData,
    prefill: isObject(prefill)
      ? prefillPoints(file, setup, {
          isl: numbersAt(prefill, 'isl'),
          ttft: numbersAt(prefill, 'ttft_ms'),
          throughput: throughput(prefill),
        })
      : [],
    decode: isObject(decode)
      ? decodePoints(file, setup, {
          kvUsage: numbersAt(decode, 'kv_usage'),
          context: numbersAt(decode, 'context_length'),
          itl: numbersAt(decode, 'itl_ms'),
          throughput: throughput(decode),
          maxKvTokens: numberAt(document, 'max_kv_tokens'),
        })
      : [],
  }
}

interface PrefillColumns {
  readonly isl: readonly number[]
  readonly ttft: readonly number[]
  readonly throughput: readonly number[] | undefined
}

interface DecodeColumns {
  readonly kvUsage: readonly number[]
  readonly context: readonly number[]
  readonly itl: readonly number[]
  readonly throughput: readonly number[] | undefined
  readonly maxKvTokens: number | undefined
}

function prefillPoints(file: string, setup: PrefillPoint['setup'], columns: PrefillColumns): PrefillPoint[] {
  const { isl, ttft, throughput } = columns
  sameLength({ 'prompt lengths': isl, TTFTs: ttft, throughputs: throughput })
  return isl.map((promptTokens, i) => ({
    origin: { file, row: i + 1 },
    setup,
    promptTokens,
    ttftMs: ttft[i] ?? 0,
    ...optional('tokensPerSecondPerGpu', throughput?.[i]),
  }))
}

function decodePoints(file: string, setup: DecodePoint['setup'], columns: DecodeColumns): DecodePoint[] {
  const { kvUsage, context, itl, throughput, maxKvTokens } = columns
  sameLength({ 'KV shares': kvUsage, contexts: context, ITLs: itl, throughputs: throughput })
  if (maxKvTokens === undefined)
    throw new Unreadable(
      'max_kv_tokens is missing: without it a share of the KV cache says nothing of sequences',
    )
  return kvUsage.map((share, i) => ({
    origin: { file, row: i + 1 },
    setup,
    contextTokens: context[i] ?? 0,
    sequences: Math.max(1, Math.round((share * maxKvTokens) / (context[i] ?? 1))),
    itlMs: itl[i] ?? 0,
    maxKvTokens,
    ...optional('tokensPerSecondPerGpu', throughput?.[i]),
  }))
}

function sameLength(lists: Readonly<Record<string, readonly number[] | undefined>>): void {
  const present = Object.entries(lists).flatMap(([name, list]) =>
    list === undefined ? [] : [{ name, list }],
  )
  if (new Set(present.map(({ list }) => list.length)).size > 1)
    throw new Unreadable(
      `lists of equal length were expected: got ${present.map(({ name, list }) => `${list.length} ${name}`).join(', ')}`,
    )
}

function optional<K extends string>(key: K, value: number | undefined): Partial<Record<K, number>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, number>)
}
