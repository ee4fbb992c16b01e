// One observation for the commands that look once: live now, as Prometheus remembers an earlier instant, or recorded.
import { readFile } from 'node:fs/promises'
import { decide } from '../core/decide.ts'
import type { Observation } from '../core/observation.ts'
import type { PolicySet } from '../core/policy.ts'
import { emptyState, type State } from '../core/state.ts'
import type { Tools } from '../core/tools.ts'
import { systemClock, tickAt, withDeadline } from '../loop/clock.ts'
import { parseObservation } from '../report/observationFile.ts'
import type { Flags, Terminal, Values } from './command.ts'
import { CommandError, exitCodes, usageError } from './exit.ts'
import { type Eyes, observingFlags, openEyes } from './observing.ts'
import { rememberer } from './remembering.ts'
import { delayFlag, durationFlag, instantFlag } from './values.ts'

export const observeOnceFlags = {
  ...observingFlags,
  at: {
    type: 'string',
    placeholder: 'TIME',
    text: 'look at an earlier instant: 2026-10-01T12:00:00Z, seconds since the epoch, or --at=-5m',
  },
} as const satisfies Flags

/** For the commands that take a recording in place of live metrics. */
export const observationFlags = {
  observation: { type: 'string', placeholder: 'FILE', text: 'look at what `mixscaler record` saved' },
  ...observeOnceFlags,
} as const satisfies Flags

const deadlineSeconds = 60

/** Throws a usage error unless there is exactly one thing to look at. */
export function requireSource({ observation, prometheus, at }: Values<typeof observationFlags>): void {
  if (observation !== undefined && (prometheus !== undefined || at !== undefined))
    throw usageError('--observation excludes --prometheus and --at: a recording has its own instant')
  if (observation === undefined && prometheus === undefined)
    throw usageError(
      'nothing to plan on: give --prometheus URL, or --observation FILE from `mixscaler record`',
    )
}

/** What a decision is taken from. */
export interface Scene {
  readonly observation: Observation
  readonly state: State
}

/** The recording that is named, without memory; or what is live now, with what serve would remember of the past. */
export async function recordedOrLive(
  values: Values<typeof observationFlags>,
  policies: PolicySet,
  tools: Tools,
  terminal: Terminal,
): Promise<Scene> {
  if (values.observation !== undefined)
    return { observation: await readObservation(values.observation), state: emptyState }
  return lookOnce(values, policies, terminal, async (eyes, observation) => {
    const note = (text: string) => terminal.error(`note: ${text}\n`)
    const remember = rememberer(
      {
        clock: systemClock,
        eyes,
        decide: async (set, state, past) => decide(set, state, past, tools),
        progress: note,
        lost: note,
      },
      { intervalSeconds: durationFlag('interval', values.interval) },
    )
    const question = { policies, at: observation.at, known: undefined }
    return { observation, state: await remember(question, terminal.signal) }
  })
}

export function observeOnce(
  values: Values<typeof observeOnceFlags>,
  policies: PolicySet,
  terminal: Terminal,
): Promise<Observation> {
  return lookOnce(values, policies, terminal, async (_, observation) => observation)
}

/** Without `--at`: the last tick of serve's grid, so that both look at the same instant. */
async function lookOnce<T>(
  values: Values<typeof observeOnceFlags>,
  policies: PolicySet,
  terminal: Terminal,
  then: (eyes: Eyes, observation: Observation) => Promise<T>,
): Promise<T> {
  const now = systemClock.now()
  const delay = delayFlag('evaluation-delay', values['evaluation-delay'])
  const at =
    values.at === undefined
      ? tickAt(now - delay, durationFlag('interval', values.interval))
      : instantFlag('at', values.at, now)
  // Kubernetes knows the present only.
  const kubernetes = values.at === undefined ? values.kubernetes : 'off'
  const eyes = openEyes(
    { ...values, kubernetes },
    { env: terminal.env, queried: () => undefined, noticed: (text) => terminal.error(`note: ${text}\n`) },
  )
  try {
    return await then(eyes, await observed(eyes, policies, at, terminal))
  } finally {
    await eyes.close()
  }
}

async function observed(
  eyes: Eyes,
  policies: PolicySet,
  at: number,
  terminal: Terminal,
): Promise<Observation> {
  try {
    return await withDeadline(systemClock, 'observing', deadlineSeconds, terminal.signal, (signal) =>
      eyes.observe(policies, at, signal),
    )
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CommandError(
      exitCodes.failed,
      `nothing could be observed: ${why}. Check --prometheus, its credentials, and that it is reachable from here`,
      { cause: error },
    )
  }
}

async function readObservation(file: string): Promise<Observation> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CommandError(exitCodes.failed, `the observation cannot be read: ${why}`, { cause: error })
  }
  const parsed = parseObservation(text)
  if (parsed.kind === 'good') return parsed.observation
  throw new CommandError(exitCodes.failed, `${file} is not an observation:\n${parsed.problems.join('\n')}`)
}
