// The traffic of `backtest`: what --trace and --synthetic name, whose it is, scaled and shifted.

import { type Synthetic, syntheticKinds } from '../backtest/traffic/synthetic.ts'
import { TraceError } from '../backtest/traffic/traceError.ts'
import type { PolicySet } from '../core/policy.ts'
import { parseDuration } from '../policy/quantity.ts'
import type { Flags, Terminal, Values } from './command.ts'
import { CommandError, exitCodes, usageError } from './exit.ts'
import { type SourceDescription, scanTrace, type TrafficDescription } from './traceFiles.ts'
import { choiceFlag, durationFlag } from './values.ts'

export const trafficFlags = {
  trace: {
    type: 'string',
    multiple: true,
    placeholder: '[CLASS=]FILE',
    text: 'recorded requests or a rate series; repeatable',
  },
  synthetic: {
    type: 'string',
    multiple: true,
    placeholder: '[CLASS=]KIND:KEY=VALUE,...',
    text: `made-up traffic: ${syntheticKinds.join(', ')}; keys rate, peak, swing, period, count, for, prompt, output, cv`,
  },
  scale: {
    type: 'string',
    multiple: true,
    placeholder: '[CLASS=]4x',
    text: 'so many times the traffic; repeatable',
  },
  shift: {
    type: 'string',
    multiple: true,
    placeholder: '[CLASS=]30m',
    text: 'so much later; repeatable',
  },
  inside: {
    type: 'string',
    default: 'bridge',
    placeholder: 'bridge|step',
    text: 'how a rate series moves inside its windows',
  },
  for: { type: 'string', placeholder: 'TIME', text: 'only so much of it, from its start' },
} as const satisfies Flags

interface Found {
  readonly classIndex: number
  readonly source: SourceDescription
  readonly seconds: number
}

/** Reads every file once. Throws CommandError where something is wrong with the flags or the files. */
export function describeTraffic(
  values: Values<typeof trafficFlags>,
  policies: PolicySet,
  terminal: Terminal,
): TrafficDescription {
  const classes = policies.policies.flatMap((policy) => policy.classes.map(({ name }) => name))
  const inside = choiceFlag('inside', values.inside, ['bridge', 'step'])
  const found: Found[] = [
    ...(values.trace ?? []).map((text) => traced(text, classes, inside, terminal)),
    ...(values.synthetic ?? []).map((text) => synthetic(text, classes)),
  ]
  if (found.length === 0)
    throw usageError('no traffic: give --trace FILE or --synthetic KIND:...; see mixscaler backtest --help')
  const scales = perClass('scale', values.scale ?? [], classes, (text) => scaleOf(text))
  const shifts = perClass('shift', values.shift ?? [], classes, (text) => durationFlag('shift', text))
  const seconds = Math.max(...found.map(({ seconds, classIndex }) => seconds + (shifts.get(classIndex) ?? 0)))
  const most = values.for === undefined ? Infinity : durationFlag('for', values.for)
  const untilSeconds = Math.floor(Math.min(seconds, most) / 60) * 60
  if (untilSeconds < 300)
    throw usageError(`the traffic must last at least 5 minutes: got ${Math.floor(Math.min(seconds, most))} s`)
  return {
    untilSeconds,
    sources: found.map(({ classIndex, source }) => ({
      classIndex,
      source,
      scale: scales.get(classIndex) ?? 1,
      shiftSeconds: shifts.get(classIndex) ?? 0,
    })),
  }
}

function traced(
  text: string,
  classes: readonly string[],
  inside: 'bridge' | 'step',
  terminal: Terminal,
): Found {
  const { classIndex, rest: file } = classOf('trace', text, classes)
  try {
    const { description, seconds, notes } = scanTrace(file, inside)
    for (const note of notes) terminal.error(`note: ${note}\n`)
    return { classIndex, source: description, seconds }
  } catch (error) {
    if (error instanceof TraceError) throw new CommandError(exitCodes.failed, error.message, { cause: error })
    throw error
  }
}

/** `CLASS=rest` where it begins with a class's name; else the only class there is. */
function classOf(
  flag: string,
  text: string,
  classes: readonly string[],
): { readonly classIndex: number; readonly rest: string } {
  const named = classes.findIndex((name) => text.startsWith(`${name}=`))
  if (named >= 0) {
    const name = classes[named] ?? ''
    if (classes.indexOf(name, named + 1) >= 0)
      throw usageError(`--${flag}: several policies have a class "${name}": backtest one of them at a time`)
    return { classIndex: named, rest: text.slice(name.length + 1) }
  }
  if (classes.length === 1) return { classIndex: 0, rest: text }
  throw usageError(
    `--${flag} must say whose traffic it is: --${flag} CLASS=..., with CLASS one of ${classes.join(', ')}: got "${text}"`,
  )
}

function perClass<T>(
  flag: string,
  texts: readonly string[],
  classes: readonly string[],
  read: (text: string) => T,
): ReadonlyMap<number, T> {
  const known = new Map<number, T>()
  for (const text of texts) {
    // Without a class it is for all of them.
    const named = classes.some((name) => text.startsWith(`${name}=`))
    if (!named) {
      const value = read(text)
      for (const classIndex of classes.keys()) known.set(classIndex, value)
      continue
    }
    const { classIndex, rest } = classOf(flag, text, classes)
    known.set(classIndex, read(rest))
  }
  return known
}

function scaleOf(text: string): number {
  const [, number] = /^(\d+(?:\.\d+)?)x?$/.exec(text) ?? []
  const scale = Number(number)
  if (number !== undefined && scale > 0 && scale <= 10_000) return scale
  throw usageError(`--scale must be a factor such as 4x or 0.5x, above 0 and at most 10000x: got "${text}"`)
}

const defaults: Omit<Synthetic, 'kind'> = {
  rate: 10,
  swing: 0.6,
  periodSeconds: 86_400,
  peak: 20,
  count: 3,
  untilSeconds: 3600,
  promptTokens: 1155,
  outputTokens: 211,
  cv: 1,
}

/** `diurnal:rate=20,swing=0.7,period=24h,for=4h,prompt=1200,output=210,cv=1.5`. */
function synthetic(text: string, classes: readonly string[]): Found {
  const { classIndex, rest } = classOf('synthetic', text, classes)
  const [kind = '', keys = ''] = rest.split(':')
  const made: Record<string, number> = { ...defaults }
  for (const pair of keys === '' ? [] : keys.split(',')) {
    const [key = '', value = ''] = pair.split('=')
    const field = fieldOf[key]
    if (field === undefined)
      throw usageError(`--synthetic knows no "${key}": it is one of ${Object.keys(fieldOf).join(', ')}`)
    made[field.name] = field.read(key, value)
  }
  const whole: Synthetic = {
    ...(made as unknown as typeof defaults),
    kind: choiceFlag('synthetic', kind, syntheticKinds),
  }
  return { classIndex, source: { kind: 'synthetic', synthetic: whole }, seconds: whole.untilSeconds }
}

interface Field {
  readonly name: keyof typeof defaults
  readonly read: (key: string, text: string) => number
}

const fieldOf: Readonly<Record<string, Field>> = {
  rate: { name: 'rate', read: between(0, 1e6) },
  peak: { name: 'peak', read: between(0, 1e6) },
  swing: { name: 'swing', read: between(0, 1) },
  count: { name: 'count', read: between(1, 1000) },
  prompt: { name: 'promptTokens', read: between(1, 1e6) },
  output: { name: 'outputTokens', read: between(1, 1e6) },
  cv: { name: 'cv', read: between(0.1, 20) },
  period: { name: 'periodSeconds', read: lasting },
  for: { name: 'untilSeconds', read: lasting },
}

function between(lowest: number, highest: number): Field['read'] {
  return (key, text) => {
    const value = Number(text)
    if (/^\d+(\.\d+)?$/.test(text) && value >= lowest && value <= highest) return value
    throw usageError(`--synthetic ${key} must be a number from ${lowest} to ${highest}: got "${text}"`)
  }
}

function lasting(key: string, text: string): number {
  const parsed = parseDuration(text)
  if (parsed.kind === 'mistake') throw usageError(`--synthetic ${key} ${parsed.message}: got "${text}"`)
  if (parsed.value >= 60) return parsed.value
  throw usageError(`--synthetic ${key} must be at least 1m: got "${text}"`)
}
