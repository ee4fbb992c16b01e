// The past read back by a server that knows nothing: days of demand come on the coarse grid of history, the last minutes on
// the grid of ticks, the last decisions through `decide` itself. What cannot be read back is said, and costs precision.
import { speedWindowSeconds } from '../core/calibrate/calibrate.ts'
import type { Decided } from '../core/decide.ts'
import {
  enterDemand,
  enterPattern,
  historyGridSeconds,
  historyWindow,
  seasonGridSeconds,
} from '../core/forecast/history.ts'
import { learn, learnHold, learnTick } from '../core/learn.ts'
import type { Observation } from '../core/observation.ts'
import type { LastDecided } from '../core/observe/ownSeries.ts'
import type { Behavior, PolicySet, ScalingPolicy } from '../core/policy.ts'
import { instantsOf, type Span } from '../core/span.ts'
import { holdReachSeconds } from '../core/stabilize/hold.ts'
import { emptyState, type State } from '../core/state.ts'
import { type Clock, withDeadline } from './clock.ts'
import { withDecided, withSpare, withSpeeds } from './onRecord.ts'
import { inParts, type ObservePast, type PastSignals } from './pastParts.ts'

export interface PastPorts {
  readonly clock: Clock
  readonly observe: ObservePast
  /** What was decided last before an instant, as far as it was recorded. */
  readonly lastDecided: (policies: PolicySet, at: number, signal: AbortSignal) => Promise<LastDecided>
  readonly decide: (policies: PolicySet, state: State, observation: Observation) => Promise<Decided>
  /** Lets what waits run, where it is its turn: thousands of instants are learnt in between. */
  readonly pause: () => Promise<void>
  readonly progress: (text: string) => void
}

export interface CatchUpOptions {
  readonly intervalSeconds: number
  /** After so long the decision is taken with what is known by then. */
  readonly limitSeconds: number
}

/** The state before the tick after `previous`. */
export type ReadPast = (policies: PolicySet, previous: number, signal: AbortSignal) => Promise<CaughtUp>

export interface CaughtUp {
  readonly state: State
  /** Sentences about what could not be read back. */
  readonly lost: readonly string[]
}

/** Shapes are read anew every five minutes; by then nothing of an older one is left. */
const shapeSeconds = 420

/** Twenty minutes of arrivals over seconds, and up to five more since their index of dispersion was chosen. */
const burstSeconds = 1500

/** What a decision knows of ticks without their plans follows from so many seconds of them. */
const seenSeconds = Math.max(shapeSeconds, burstSeconds, speedWindowSeconds)

/** The decisions that are replayed at most, at least and beyond the longest window that they look back. */
const mostTicks = 240
const fewestTicks = 8
const beyondSeconds = 60

/** A peak that may be noise is planned for so long. */
const latestSeconds = 3600

/** What one instant of the past teaches. */
type Lesson = (policies: PolicySet, state: State, observation: Observation) => State

const pattern: Lesson = (policies, state, observation) => learn(policies, state, observation, enterPattern)
const minutes: Lesson = (policies, state, observation) => learn(policies, state, observation, enterDemand)
const lastTicks: Lesson = learnTick
const ticks: Lesson = (policies, state, observation) => learnHold(policies, state, observation, enterDemand)

/** Changed as it goes, so that what was learnt before a failure counts. */
interface SoFar {
  state: State
}

/** The state before the tick after `previous`, from the past alone. */
export async function readPast(
  policies: PolicySet,
  previous: number,
  ports: PastPorts,
  options: CatchUpOptions,
  signal: AbortSignal,
): Promise<CaughtUp> {
  const step = options.intervalSeconds
  const decideFrom = previous - (replayTicks(policies, step) - 1) * step
  const holdFrom = floorTo(step, Math.min(decideFrom - seenSeconds, previous - holdReachSeconds))
  const history = await bounded(emptyState, 'the history of demand', ports, options, signal, (so, ended) =>
    learnHistory(policies, so, holdFrom, step, ports, ended),
  )
  const last = await bounded(history.state, 'the last minutes', ports, options, signal, async (so, ended) => {
    const { from, last } = await firstDecided(policies, previous, decideFrom, step, ports, ended)
    // Where nothing is on record there is nothing that it could equal: it need not know more before it decides.
    const needed = last.at === undefined ? previous - shapeSeconds : from - seenSeconds
    const seenFrom = Math.max(holdFrom, floorTo(step, Math.min(from, needed)))
    const hold = { from: holdFrom, until: seenFrom - step, stepSeconds: step }
    await learnSpan(policies, so, hold, 'demand', ticks, ports, ended)
    so.state = withDecided(so.state, last, from)
    const seen = { from: seenFrom, until: from - step, stepSeconds: step }
    await learnSpan(policies, so, seen, 'all', lastTicks, ports, ended)
    so.state = withSpare(withSpeeds(so.state, last, from), last)
    await replay(policies, so, { from, until: previous, stepSeconds: step }, ports, ended)
  })
  return { state: last.state, lost: [...history.lost, ...last.lost] }
}

/** What the first decision needs most, read within moments whatever the fleet's size: the last targets, the demand of the last hour, and of the hold every tick. */
export async function readLatest(
  policies: PolicySet,
  previous: number,
  ports: PastPorts,
  options: CatchUpOptions,
  signal: AbortSignal,
): Promise<CaughtUp> {
  const step = options.intervalSeconds
  const minute = gridOf(historyGridSeconds, step)
  const from = previous - (ticksOf(policies, step, heldSeconds) - 1) * step
  return bounded(emptyState, 'the last hour', ports, options, signal, async (so, ended) => {
    const last = await ports.lastDecided(policies, previous, ended)
    so.state = withSpeeds(withDecided(so.state, last, previous), last, previous)
    const hour = between(previous - latestSeconds, from, minute)
    await learnSpan(policies, so, hour, 'demand', ticks, ports, ended)
    const hold = { from, until: previous, stepSeconds: step }
    await learnSpan(policies, so, hold, 'demand', ticks, ports, ended)
  })
}

/**
 * The first tick whose decision is repeated, and what was decided last before it. Where that was recorded, a target that
 * was not backed by a plan since is the oldest thing that a decision still rests on; else what is long gone is decided anew.
 */
async function firstDecided(
  policies: PolicySet,
  previous: number,
  longAgo: number,
  step: number,
  ports: PastPorts,
  signal: AbortSignal,
): Promise<{ readonly from: number; readonly last: LastDecided }> {
  if (policies.policies.every(remembersNoPlan)) {
    const recent = Math.max(longAgo, previous - (ticksOf(policies, step, backedSeconds) - 1) * step)
    const last = await ports.lastDecided(policies, recent, signal)
    const all = policies.policies.flatMap(({ variants }) => variants)
    const from = tickAfter(last, recent, step)
    if (from >= longAgo && all.every(({ id }) => last.targets[id] !== undefined)) return { from, last }
  }
  const last = await ports.lastDecided(policies, longAgo, signal)
  return { from: tickAfter(last, longAgo, step), last }
}

/** The first one that is not on record, `wanted` at the latest: what was decided last may have been scraped some ticks later. */
function tickAfter({ at }: LastDecided, wanted: number, step: number): number {
  return at === undefined ? wanted : Math.min(wanted, floorTo(step, at) + step)
}

/** What is left of work that states no backlog follows from what each plan carried of it. */
function remembersNoPlan({ classes }: ScalingPolicy): boolean {
  return classes.every(
    ({ serviceLevel, demand }) => serviceLevel.kind === 'interactive' || demand.kind === 'engine',
  )
}

async function learnHistory(
  policies: PolicySet,
  so: SoFar,
  until: number,
  intervalSeconds: number,
  ports: PastPorts,
  signal: AbortSignal,
): Promise<void> {
  const { learntFrom, seasonFrom } = historyWindow(until)
  const season = gridOf(seasonGridSeconds, intervalSeconds)
  const minute = gridOf(historyGridSeconds, intervalSeconds)
  await learnSpan(policies, so, between(seasonFrom, learntFrom, season), 'demand', pattern, ports, signal)
  await learnSpan(policies, so, between(learntFrom, until, minute), 'demand', minutes, ports, signal)
}

async function learnSpan(
  policies: PolicySet,
  so: SoFar,
  span: Span,
  signals: PastSignals,
  lesson: Lesson,
  ports: PastPorts,
  signal: AbortSignal,
): Promise<void> {
  const total = instantsOf(span).length
  let learnt = 0
  for await (const observations of inParts(policies, span, signals, ports.observe, signal)) {
    for (const observation of observations) {
      so.state = lesson(policies, so.state, observation)
      await ports.pause()
      signal.throwIfAborted()
    }
    learnt += observations.length
    const upTo = new Date((observations.at(-1)?.at ?? span.until) * 1000)
    ports.progress(`history: ${learnt} of ${total} instants, up to ${upTo.toISOString()}`)
  }
}

export async function replay(
  policies: PolicySet,
  so: SoFar,
  span: Span,
  ports: PastPorts,
  signal: AbortSignal,
): Promise<void> {
  for await (const observations of inParts(policies, span, 'all', ports.observe, signal)) {
    for (const observation of observations) {
      const { state } = await ports.decide(policies, so.state, observation)
      signal.throwIfAborted()
      so.state = state
    }
  }
}

/** Work that may end early, by failing or by taking too long: then what it came to counts, and what is lost is said. */
export async function bounded(
  state: State,
  what: string,
  { clock }: PastPorts,
  { limitSeconds }: CatchUpOptions,
  signal: AbortSignal,
  work: (so: SoFar, signal: AbortSignal) => Promise<void>,
): Promise<CaughtUp> {
  const so: SoFar = { state }
  try {
    await withDeadline(clock, 'reading back', limitSeconds, signal, (ended) => work(so, ended))
    return { state: so.state, lost: [] }
  } catch (error) {
    signal.throwIfAborted()
    const why = error instanceof Error ? error.message : String(error)
    return { state: so.state, lost: [`${what}: ${why}`] }
  }
}

/** How many decisions to replay: past the hold and the staleness budget nothing of an older one is left. */
export function replayTicks(policies: PolicySet, intervalSeconds: number): number {
  return ticksOf(policies, intervalSeconds, ({ scaleDownHoldSeconds, zero, ...behavior }) =>
    Math.max(scaleDownHoldSeconds, backedSeconds(behavior), zero.afterSeconds, burstSeconds),
  )
}

/** So long a peak is planned for, whatever came after it. */
function heldSeconds({ scaleDownHoldSeconds }: Behavior): number {
  return scaleDownHoldSeconds
}

/** So long a target stands without a plan. */
function backedSeconds({ stalenessBudgetSeconds }: Pick<Behavior, 'stalenessBudgetSeconds'>): number {
  return stalenessBudgetSeconds
}

function ticksOf(
  { policies }: PolicySet,
  intervalSeconds: number,
  windowSeconds: (behavior: Behavior) => number,
): number {
  const longest = Math.max(0, ...policies.map(({ behavior }) => windowSeconds(behavior)))
  return Math.min(mostTicks, Math.max(fewestTicks, Math.ceil((longest + beyondSeconds) / intervalSeconds)))
}

function floorTo(stepSeconds: number, at: number): number {
  return Math.floor(at / stepSeconds) * stepSeconds
}

/** Of the instants of a history's grid, those that ticks meet. */
function gridOf(gridSeconds: number, intervalSeconds: number): number {
  for (let step = gridSeconds; step <= 100 * gridSeconds; step += gridSeconds) {
    if (Math.abs(step / intervalSeconds - Math.round(step / intervalSeconds)) < 1e-9) return step
  }
  return gridSeconds
}

/** The instants of a grid since `from` and before `until`. */
function between(from: number, until: number, stepSeconds: number): Span {
  return {
    from: Math.ceil(from / stepSeconds) * stepSeconds,
    until: (Math.ceil(until / stepSeconds) - 1) * stepSeconds,
    stepSeconds,
  }
}
