// Coefficients that others fitted: inferno's tables of alpha, beta and gamma (its model-data.json, and the older form
// of two pairs), and lists of this project's own coefficients. Nothing is left to fit.
import {
  type LawCoefficients,
  noData,
  type ProfileData,
  type StatedLaw,
} from '../core/profiles/measurement.ts'
import { at, isList, isObject, type Json, numberAt, textAt } from './json.ts'
import { type Given, setupFrom } from './setup.ts'
import { Unreadable } from './unreadable.ts'

export function isInferno(value: Json): boolean {
  const models = at(value, 'models')
  return isList(models) && models.some((each) => isObject(at(each, 'perfParms')))
}

export function isCoefficientList(value: Json): boolean {
  const profiles = at(value, 'profiles')
  return isList(profiles) && profiles.some((each) => numberAt(each, 'a') !== undefined)
}

export function inferno(file: string, document: Json, given: Given): ProfileData {
  const laws = listed(document, 'models').map((entry, i): StatedLaw => {
    const maxNumSeqs = numberAt(entry, 'maxBatchSize')
    return {
      origin: { file, row: i + 1 },
      setup: setupFrom(given, {
        model: textAt(entry, 'name'),
        gpu: textAt(entry, 'acc'),
        tp: numberAt(entry, 'accCount'),
        engine: 'inferno',
      }),
      law: infernoLaw(entry, i + 1),
      ...(maxNumSeqs === undefined ? {} : { maxNumSeqs }),
    }
  })
  return { ...noData, laws }
}

/**
 * T(n) = alpha + n (beta tc + gamma tm): beta per token computed, of prompts as of decodes, gamma per token of
 * context. The older form: decode alpha + beta n, prefill gamma + delta in n.
 */
function infernoLaw(entry: Json, row: number): LawCoefficients {
  const parameters = at(entry, 'perfParms')
  const [alpha, beta, gamma] = ['alpha', 'beta', 'gamma'].map((key) => numberAt(parameters, key))
  if (alpha !== undefined && beta !== undefined && gamma !== undefined) {
    // A prompt token costs beta + gamma there; what this law adds for its attention, c/2, is taken off again.
    return { a: alpha, b: beta, c: gamma, ap: alpha, bp: beta + gamma / 2, d2: 0, g: 0, h: 0 }
  }
  const decode = at(parameters, 'decodeParms')
  const prefill = at(parameters, 'prefillParms')
  const [a, b] = [numberAt(decode, 'alpha'), numberAt(decode, 'beta')]
  const [ap, bp] = [numberAt(prefill, 'gamma'), numberAt(prefill, 'delta')]
  if (a === undefined || b === undefined || ap === undefined || bp === undefined)
    throw new Unreadable(
      `entry ${row} must have perfParms with alpha, beta and gamma, or with decodeParms (alpha, beta) and prefillParms (gamma, delta)`,
    )
  return { a, b, c: 0, ap, bp, d2: 0, g: 0, h: 0 }
}

export function coefficientList(file: string, document: Json, given: Given): ProfileData {
  const laws = listed(document, 'profiles').map((entry, i): StatedLaw => {
    const needed = (key: string): number => {
      const found = numberAt(entry, key)
      if (found === undefined) throw new Unreadable(`profile ${i + 1} has no coefficient ${key}`)
      return found
    }
    const a = needed('a')
    const x = numberAt(entry, 'x') ?? numberAt(entry, 'mixtureOfExperts', 'x')
    const kappa = numberAt(entry, 'kap') ?? numberAt(entry, 'mixtureOfExperts', 'kappa')
    const kvTokens = numberAt(entry, 'kv') ?? numberAt(entry, 'kvTokens')
    return {
      origin: { file, row: i + 1 },
      setup: setupFrom(given, {
        model: textAt(entry, 'model'),
        precision: textAt(entry, 'precision'),
        gpu: textAt(entry, 'gpu'),
        tp: numberAt(entry, 'tp'),
        engine: [textAt(entry, 'engine'), textAt(entry, 'law')]
          .filter((each) => each !== undefined)
          .join(', '),
      }),
      law: {
        a,
        b: needed('b'),
        c: numberAt(entry, 'c') ?? 0,
        // A prefill swept apart does not tell the engine's share of its constant from the client's.
        ap: numberAt(entry, 'ap') ?? numberAt(entry, 'ap_plus_h') ?? a,
        bp: needed('bp'),
        d2: numberAt(entry, 'd2') ?? 0,
        g: numberAt(entry, 'g') ?? 0,
        h: numberAt(entry, 'h') ?? 0,
        ...(x === undefined || kappa === undefined ? {} : { mixtureOfExperts: { x, kappa } }),
      },
      ...(kvTokens === undefined ? {} : { kvTokens }),
    }
  })
  return { ...noData, laws }
}

function listed(document: Json, key: string): readonly Json[] {
  const found = at(document, key)
  return isList(found) ? found : []
}
