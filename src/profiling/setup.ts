// What was measured, put together from what a file says and what the person who imports it adds.

import { acceleratorNamed } from '../core/profiles/accelerators.ts'
import type { ProfileData, Setup } from '../core/profiles/measurement.ts'
import { parseModelName } from '../core/profiles/models.ts'

/** From the command line: fills what a file does not say, and chooses among what it does say. */
export interface Given {
  readonly model?: string
  readonly gpu?: string
  readonly tp?: number
}

export interface Stated {
  readonly model?: string | undefined
  readonly precision?: string | undefined
  readonly gpu?: string | undefined
  readonly tp?: number | undefined
  readonly engine?: string | undefined
}

/** Stands for a model or GPU that neither file nor person names. */
const unnamed = 'unnamed'

export function setupFrom(given: Given, stated: Stated): Setup {
  return {
    model: withPrecision(said(stated.model) ?? given.model ?? unnamed, said(stated.precision)),
    gpu: said(stated.gpu) ?? given.gpu ?? unnamed,
    tp: stated.tp ?? given.tp ?? 1,
    engine: said(stated.engine) ?? 'engine not stated',
  }
}

/** The rows of the set-ups that were asked for, under whatever names hubs and clouds give them. */
export function chosen(data: ProfileData, given: Given): ProfileData {
  const of = <T extends { readonly setup: Setup }>(rows: readonly T[]): readonly T[] =>
    rows.filter(({ setup }) => isChosen(setup, given))
  return { runs: of(data.runs), prefill: of(data.prefill), decode: of(data.decode), laws: of(data.laws) }
}

function isChosen({ model, gpu, tp }: Setup, given: Given): boolean {
  const alike = (one: string, other: string): boolean => {
    const [wanted, found] = [parseModelName(one), parseModelName(other)]
    return wanted.base === found.base && (wanted.precision ?? found.precision) === found.precision
  }
  return (
    (given.model === undefined || given.model === model || alike(given.model, model)) &&
    (given.gpu === undefined || gpuName(given.gpu) === gpuName(gpu)) &&
    (given.tp === undefined || given.tp === tp)
  )
}

/** As profiles are named: `llama-3.1-70b-fp8/h100-tp2`. */
export function profileName({ model, gpu, tp }: Setup): string {
  const { base, precision } = parseModelName(model)
  return `${base}${precision === undefined || precision === 'bf16' ? '' : `-${precision}`}/${gpuName(gpu)}-tp${tp}`
}

function gpuName(name: string): string {
  return acceleratorNamed(name)?.name ?? name.toLowerCase()
}

function said(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

function withPrecision(model: string, precision: string | undefined): string {
  const known = precision === undefined || parseModelName(model).precision !== undefined
  return known ? model : `${model}-${precision}`
}
