// The traffic of `backtest`: what --trace, --synthetic and --prometheus name, whose it is, scaled and shifted.

import { type Synthetic, syntheticKinds } from '../backtest/traffic/synthetic.ts'
import { TraceError } from '../backtest/traffic/traceError.ts'
import type { PolicySet } from '../core/policy.ts'
import { parseDuration } from '../policy/quantity.ts'
import { observedFlags, observedTraffic, requireObservable } from './backtestPrometheus.ts'
import { type ClassName, classNames, classOf } from './classNames.ts'
import type { Flags, Terminal, Values } from './command.ts'
import { CommandError, exitCodes, usageError } from './exit.ts'
import { type RateReading, type SourceDescription, scanTrace, type TrafficDescription } from './traceFiles.ts'
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
  bridge: {
    type: 'string',
    placeholder: 'TIME',
    text: 'fill in holes of a rate series of up to so long (default: six windows)',
  },
  for: { type: 'string', placeholder: 'TIME', text: 'only so much of it, from its start' },
  ...observedFlags,
} as const satisfies Flags

interface Found {
  readonly classIndex: number
  readonly source: SourceDescription
  readonly seconds: number
  readonly beginsAtSeconds?: number
}

/** Reads every file once, and Prometheus. Throws CommandError where something is wrong with the flags or the traffic. */
export async function describeTraffic(
  values: Values<typeof trafficFlags>,
  policies: PolicySet,
  terminal: Terminal,
): Promise<TrafficDescription> {
  const classes = classNames(policies)
  const reading: RateReading = {
    inside: choiceFlag('inside', values.inside, ['bridge', 'step']),
    bridgeSeconds: values.bridge === undefined ? 0 : durationFlag('bridge', values.bridge),
  }
  requireObservable(values)
  const stated: Found[] = [
    ...(values.trace ?? []).map((text) => traced(text, classes, reading, terminal)),
    ...(values.synthetic ?? []).map((text) => synthetic(text, classes)),
  ]
  const others = [...classes.keys()].filter((index) => !stated.some(({ classIndex }) => classIndex === index))
  const observed =
    values.prometheus === undefined
      ? []
      : await observedTraffic(values, { policies, classes: others, reading }, terminal)
  const found: readonly Found[] = [...stated, ...observed]
  if (found.length === 0)
    throw usageError(
      'no traffic: give --trace FILE, --synthetic KIND:... or --prometheus URL --from TIME; see mixscaler backtest --help',
    )
  const scales = perClass('scale', values.scale ?? [], classes, (text) => scaleOf(text))
  const shifts = perClass('shift', values.shift ?? [], classes, (text) => durationFlag('shift', text))
  const seconds = Math.max(...found.map(({ seconds, classIndex }) => seconds + (shifts.get(classIndex) ?? 0)))
  const most = values.for === undefined ? Infinity : durationFlag('for', values.for)
  const untilSeconds = Math.floor(Math.min(seconds, most) / 60) * 60
  if (untilSeconds < 300)
    throw usageError(`the traffic must last at least 5 minutes: got ${Math.floor(Math.min(seconds, most))} s`)
  const begins = found.flatMap(({ beginsAtSeconds }) => beginsAtSeconds ?? [])
  return {
    untilSeconds,
    ...(begins.length === 0 ? {} : { beginsAtSeconds: Math.floor(Math.min(...begins) / 60) * 60 }),
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
  classes: readonly ClassName[],
  reading: RateReading,
  terminal: Terminal,
): Found {
  const { classIndex, rest: file } = classOf('trace', text, classes)
  try {
    const { description, notes, ...found } = scanTrace(file, reading)
    for (const note of notes) terminal.error(`note: ${note}\n`)
    return { ...found, classIndex, source: description }
  } catch (error) {
    if (error instanceof TraceError) throw new CommandError(exitCodes.failed, error.message, { cause: error })
    throw error
  }
}

function perClass<T>(
  flag: string,
  texts: readonly string[],
  classes: readonly ClassName[],
  read: (text: string) => T,
): ReadonlyMap<number, T> {
  const known = new Map<number, T>()
  for (const text of texts) {
    // Without a class it is for all of them.
    if (!text.includes('=')) {
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
function synthetic(text: string, classes: readonly ClassName[]): Found {
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
