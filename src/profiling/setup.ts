// What was measured, put together from what a file says and what the person who imports it adds.
import type { Setup } from '../core/profiles/measurement.ts'
import { parseModelName } from '../core/profiles/models.ts'

/** From the command line: wins over what the file says. */
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
export const unnamed = 'unnamed'

export function setupFrom(given: Given, stated: Stated): Setup {
  return {
    model: given.model ?? withPrecision(said(stated.model) ?? unnamed, said(stated.precision)),
    gpu: given.gpu ?? said(stated.gpu) ?? unnamed,
    tp: given.tp ?? stated.tp ?? 1,
    engine: said(stated.engine) ?? 'engine not stated',
  }
}

function said(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

function withPrecision(model: string, precision: string | undefined): string {
  const known = precision === undefined || parseModelName(model).precision !== undefined
  return known ? model : `${model}-${precision}`
}
