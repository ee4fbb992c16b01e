// The flags of `backtest`, and what they come to: which runs, at which fidelity, over how many threads.
import { availableParallelism } from 'node:os'
import { defaultPlant, defaultStepSeconds } from '../backtest/backtest.ts'
import { controllers } from '../backtest/controllers.ts'
import { parseShare } from '../policy/quantity.ts'
import type { BacktestJob } from './backtestJobs.ts'
import { trafficFlags } from './backtestTraffic.ts'
import type { Flags, Values } from './command.ts'
import { usageError } from './exit.ts'
import { policyFlag } from './policies.ts'
import { reportFlag } from './reportFiles.ts'
import { choiceFlag, durationFlag } from './values.ts'

export const backtestOutputs = ['table', 'json', 'csv', 'yaml'] as const

export const backtestFlags = {
  policy: policyFlag,
  ...trafficFlags,
  controller: {
    type: 'string',
    default: 'mixscaler',
    placeholder: 'NAME,...',
    text: `who scales: ${Object.keys(controllers).join(', ')}; several are compared`,
  },
  fidelity: {
    type: 'string',
    default: 'request',
    placeholder: 'request|fluid',
    text: 'every request (hours), or amounts of them (weeks)',
  },
  startup: {
    type: 'string',
    placeholder: 'TIME,...',
    text: 'start-up time in place of the policies’; several are compared',
  },
  seed: { type: 'string', default: '1', placeholder: 'N,...', text: 'of all randomness; several are run' },
  tick: {
    type: 'string',
    placeholder: 'TIME',
    text: 'between two decisions: 15s, or 60s for the fluid plant',
  },
  step: {
    type: 'string',
    default: `${defaultStepSeconds}s`,
    placeholder: 'TIME',
    text: 'of the fluid plant, 1s to 15s',
  },
  warmup: {
    type: 'string',
    default: '10m',
    placeholder: 'TIME',
    text: 'at the start, simulated but not scored',
  },
  'model-error': {
    type: 'string',
    default: '0%',
    placeholder: 'SHARE',
    text: 'engines are so much slower than the profiles that are planned with',
  },
  'fail-if': {
    type: 'string',
    placeholder: 'CONDITIONS',
    text: "exit code 4 if one holds: 'attainment<99%,cost>120/h,ttft.p95[chat]>1s'",
  },
  junit: { type: 'string', placeholder: 'FILE', text: 'write the conditions of --fail-if as JUnit XML' },
  report: reportFlag,
  bound: {
    type: 'boolean',
    text: 'also work out what somebody would have paid who knew the traffic',
  },
  floor: {
    type: 'string',
    placeholder: 'SHARE',
    text: 'find what has to be planned for at all times so that this share of requests keeps its SLO',
  },
  workers: { type: 'string', placeholder: 'N', text: 'threads (default: one per core)' },
  output: {
    type: 'string',
    short: 'o',
    default: 'table',
    placeholder: 'table|json|csv|yaml',
    text: 'how to print',
  },
} as const satisfies Flags

export interface Variation {
  readonly controller: string
  readonly seed: number
  readonly startupSeconds?: number
}

export interface Settings {
  readonly common: Omit<
    BacktestJob,
    'policies' | 'traffic' | 'beginsAtSeconds' | 'warmupSeconds' | 'bound' | keyof Variation
  >
  readonly warmupSeconds: number
  readonly variations: readonly Variation[]
  readonly workers: number
}

/** Throws usage errors. */
export function settingsFrom(values: Values<typeof backtestFlags>): Settings {
  const fidelity = choiceFlag('fidelity', values.fidelity, ['request', 'fluid'])
  const stepSeconds = durationFlag('step', values.step)
  if (stepSeconds < 1 || stepSeconds > 15 || !Number.isInteger(stepSeconds))
    throw usageError(`--step must be whole seconds from 1s to 15s: got "${values.step}"`)
  const tickSeconds = durationFlag('tick', values.tick ?? (fidelity === 'fluid' ? '60s' : '15s'))
  if (tickSeconds % stepSeconds !== 0 && fidelity === 'fluid')
    throw usageError(`--tick must be a multiple of --step (${values.step}): got "${values.tick ?? '60s'}"`)
  const modelError = parseShare(values['model-error'])
  if (modelError.kind === 'mistake')
    throw usageError(`--model-error ${modelError.message}: got "${values['model-error']}"`)
  if (modelError.value <= -0.9 || modelError.value > 10)
    throw usageError(`--model-error must be above -90% and at most 1000%: got "${values['model-error']}"`)
  const names = list(values.controller).map((name) =>
    choiceFlag('controller', name, Object.keys(controllers)),
  )
  const seeds = list(values.seed).map((text) => wholeFlag('seed', text, 0, 2 ** 31 - 1))
  const startups =
    values.startup === undefined
      ? [undefined]
      : list(values.startup).map((text) => durationFlag('startup', text))
  return {
    common: {
      fidelity,
      tickSeconds,
      ...(fidelity === 'fluid' ? { stepSeconds } : {}),
      startupSigma: 0.1,
      modelError: modelError.value,
      plant: defaultPlant,
    },
    warmupSeconds: durationOrZero('warmup', values.warmup),
    variations: names.flatMap((controller) =>
      startups.flatMap((startupSeconds) =>
        seeds.map((seed) => ({
          controller,
          seed,
          ...(startupSeconds === undefined ? {} : { startupSeconds }),
        })),
      ),
    ),
    workers:
      values.workers === undefined ? availableParallelism() : wholeFlag('workers', values.workers, 1, 256),
  }
}

function list(text: string): readonly string[] {
  return [...new Set(text.split(',').map((part) => part.trim()))]
}

function wholeFlag(flag: string, text: string, lowest: number, highest: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= lowest && value <= highest) return value
  throw usageError(`--${flag} must be a whole number from ${lowest} to ${highest}: got "${text}"`)
}

function durationOrZero(flag: string, text: string): number {
  return /^0(s|m|h)?$/.test(text) ? 0 : durationFlag(flag, text)
}
