// What `profile import` prints and every other command reads back: the internal form as JSON.
import type {
  DecodePoint,
  LawCoefficients,
  Lengths,
  Load,
  Origin,
  PrefillPoint,
  ProfileData,
  Run,
  Setup,
  StatedLaw,
} from '../core/profiles/measurement.ts'
import { at, isList, type Json, numberAt, textAt } from './json.ts'
import { Unreadable } from './unreadable.ts'

const format = 'mixscaler-measurements/1'

export function ownText(data: ProfileData): string {
  return `${JSON.stringify({ format, ...data }, null, 1)}\n`
}

export function isOwnFormat(value: Json): boolean {
  return textAt(value, 'format') === format
}

export function ownFormat(document: Json): ProfileData {
  const each = <T>(key: string, read: (item: Json, place: string) => T): readonly T[] => {
    const list = at(document, key)
    if (!isList(list)) throw new Unreadable(`"${key}" must be a list`)
    return list.map((item, i) => read(item, `${key}[${i}]`))
  }
  return {
    runs: each('runs', runOf),
    prefill: each('prefill', prefillOf),
    decode: each('decode', decodeOf),
    laws: each('laws', lawOf),
  }
}

function runOf(item: Json, place: string): Run {
  const remark = textAt(item, 'remark')
  return {
    ...common(item, place),
    load: loadOf(item, place),
    promptTokens: lengthsOf(item, 'promptTokens', place),
    outputTokens: lengthsOf(item, 'outputTokens', place),
    ...optional(
      item,
      'ttftMs',
      'ttftMedianMs',
      'itlMs',
      'e2eMs',
      'achievedPerSecond',
      'running',
      'requests',
      'durationSeconds',
      'maxNumSeqs',
    ),
    ...(remark === undefined ? {} : { remark }),
  }
}

function prefillOf(item: Json, place: string): PrefillPoint {
  return {
    ...common(item, place),
    promptTokens: needed(item, place, 'promptTokens'),
    ttftMs: needed(item, place, 'ttftMs'),
    ...optional(item, 'tokensPerSecondPerGpu'),
  }
}

function decodeOf(item: Json, place: string): DecodePoint {
  return {
    ...common(item, place),
    contextTokens: needed(item, place, 'contextTokens'),
    sequences: needed(item, place, 'sequences'),
    itlMs: needed(item, place, 'itlMs'),
    ...optional(item, 'tokensPerSecondPerGpu', 'maxKvTokens'),
  }
}

function lawOf(item: Json, place: string): StatedLaw {
  const coefficient = (name: string): number => needed(item, place, 'law', name)
  const x = numberAt(item, 'law', 'mixtureOfExperts', 'x')
  const kappa = numberAt(item, 'law', 'mixtureOfExperts', 'kappa')
  const law: LawCoefficients = {
    a: coefficient('a'),
    b: coefficient('b'),
    c: coefficient('c'),
    ap: coefficient('ap'),
    bp: coefficient('bp'),
    d2: coefficient('d2'),
    g: coefficient('g'),
    h: coefficient('h'),
    ...(x === undefined || kappa === undefined ? {} : { mixtureOfExperts: { x, kappa } }),
  }
  return { ...common(item, place), law, ...optional(item, 'maxNumSeqs', 'kvTokens') }
}

function common(item: Json, place: string): { readonly origin: Origin; readonly setup: Setup } {
  return {
    origin: { file: neededText(item, place, 'origin', 'file'), row: needed(item, place, 'origin', 'row') },
    setup: {
      model: neededText(item, place, 'setup', 'model'),
      gpu: neededText(item, place, 'setup', 'gpu'),
      tp: needed(item, place, 'setup', 'tp'),
      engine: neededText(item, place, 'setup', 'engine'),
    },
  }
}

function loadOf(item: Json, place: string): Load {
  const kind = textAt(item, 'load', 'kind')
  switch (kind) {
    case 'burst':
      return { kind }
    case 'clients':
      return { kind, clients: needed(item, place, 'load', 'clients') }
    case 'rate': {
      const arrivals = textAt(item, 'load', 'arrivals') === 'constant' ? 'constant' : 'poisson'
      return { kind, requestsPerSecond: needed(item, place, 'load', 'requestsPerSecond'), arrivals }
    }
    default:
      throw new Unreadable(`${place}.load.kind must be rate, clients or burst: got ${JSON.stringify(kind)}`)
  }
}

function lengthsOf(item: Json, key: string, place: string): Lengths {
  return { mean: needed(item, place, key, 'mean'), meanSquare: needed(item, place, key, 'meanSquare') }
}

function needed(item: Json, place: string, ...path: readonly string[]): number {
  const value = numberAt(item, ...path)
  if (value !== undefined && value >= 0) return value
  throw new Unreadable(
    `${place}.${path.join('.')} must be a number, 0 or more: got ${JSON.stringify(at(item, ...path))}`,
  )
}

function neededText(item: Json, place: string, ...path: readonly string[]): string {
  const value = textAt(item, ...path)
  if (value !== undefined) return value
  throw new Unreadable(`${place}.${path.join('.')} must be text: got ${JSON.stringify(at(item, ...path))}`)
}

function optional<K extends string>(item: Json, ...keys: readonly K[]): Partial<Record<K, number>> {
  const found: Partial<Record<K, number>> = {}
  for (const key of keys) {
    const value = numberAt(item, key)
    if (value !== undefined) found[key] = value
  }
  return found
}
