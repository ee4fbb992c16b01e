// What a server must know before it may decide: everything that it would know had it never stopped, read back from the
// past. Days of demand come on the coarse grid of history, the last minutes on the grid of ticks through `decide` itself.
// What cannot be read back is said, and costs precision, never the start.
import type { Decided } from '../core/decide.ts'
import {
  enterDemand,
  enterPattern,
  historyGridSeconds,
  historyWindow,
  seasonGridSeconds,
} from '../core/forecast/history.ts'
import { learn, learnHold } from '../core/learn.ts'
import type { Observation } from '../core/observation.ts'
import type { PolicySet, VariantId } from '../core/policy.ts'
import { instantsOf, type Span } from '../core/span.ts'
import { holdReachSeconds } from '../core/stabilize/hold.ts'
import { emptyState, type State } from '../core/state.ts'
import { type Clock, withDeadline } from './clock.ts'
import { inParts, type ObservePast, type PastSignals } from './pastParts.ts'

export interface PastPorts {
  readonly clock: Clock
  readonly observe: ObservePast
  /** The targets that were emitted at an instant, as far as they were recorded. */
  readonly targets: (
    policies: PolicySet,
    at: number,
    signal: AbortSignal,
  ) => Promise<Readonly<Record<VariantId, number>>>
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

export interface Question {
  readonly policies: PolicySet
  /** The tick that is to be decided next. */
  readonly at: number
  /** What is known after an earlier tick. */
  readonly known: Known | undefined
}

export interface Known {
  readonly state: State
  readonly decidedAt: number
  readonly policies: PolicySet
}

export interface CaughtUp {
  readonly state: State
  /** Sentences about what could not be read back. */
  readonly lost: readonly string[]
}

/** Shapes are read anew every five minutes; by then nothing of an older one is left. */
const shapeSeconds = 420

/** Twenty minutes of arrivals over seconds, and up to five more since their index of dispersion was chosen. */
const burstSeconds = 1500

/** The decisions that are replayed at most, at least and beyond the longest window that they look back. */
const mostTicks = 240
const fewestTicks = 8
const beyondSeconds = 60

/** The state before the tick at `at`. Rejects where the signal aborts, with nothing else. */
export async function catchUp(
  question: Question,
  ports: PastPorts,
  options: CatchUpOptions,
  signal: AbortSignal,
): Promise<CaughtUp> {
  const { known, policies, at } = question
  const previous = (Math.ceil(at / options.intervalSeconds) - 1) * options.intervalSeconds
  if (known !== undefined && known.policies === policies) {
    const { decidedAt, state } = known
    if (decidedAt >= previous) return { state, lost: [] }
    if (previous - decidedAt <= replayTicks(policies, options.intervalSeconds) * options.intervalSeconds) {
      const span = {
        from: decidedAt + options.intervalSeconds,
        until: previous,
        stepSeconds: options.intervalSeconds,
      }
      return bounded(state, 'missed ticks', ports, options, signal, (so, ended) =>
        replay(policies, so, span, ports, ended),
      )
    }
  }
  const caught = await fromNothing(policies, previous, ports, options, signal)
  // What is known is worth more than a past that cannot be read.
  return caught.lost.length > 0 && known !== undefined ? { ...caught, state: known.state } : caught
}

/** What one instant of the past teaches. */
type Lesson = (policies: PolicySet, state: State, observation: Observation) => State

const pattern: Lesson = (policies, state, observation) => learn(policies, state, observation, enterPattern)
const minutes: Lesson = (policies, state, observation) => learn(policies, state, observation, enterDemand)
const ticks: Lesson = (policies, state, observation) => learnHold(policies, state, observation, enterDemand)

/** Changed as it goes, so that what was learnt before a failure counts. */
interface SoFar {
  state: State
}

async function fromNothing(
  policies: PolicySet,
  previous: number,
  ports: PastPorts,
  options: CatchUpOptions,
  signal: AbortSignal,
): Promise<CaughtUp> {
  const step = options.intervalSeconds
  const decideFrom = previous - (replayTicks(policies, step) - 1) * step
  const shapesFrom = Math.min(decideFrom, Math.floor((previous - shapeSeconds) / step) * step)
  const holdFrom = Math.min(shapesFrom, Math.floor((previous - holdReachSeconds) / step) * step)
  const history = await bounded(emptyState, 'the history of demand', ports, options, signal, (so, ended) =>
    learnHistory(policies, so, holdFrom, step, ports, ended),
  )
  const last = await bounded(history.state, 'the last minutes', ports, options, signal, async (so, ended) => {
    const hold = { from: holdFrom, until: shapesFrom - step, stepSeconds: step }
    await learnSpan(policies, so, hold, 'demand', ticks, ports, ended)
    const shapes = { from: shapesFrom, until: decideFrom - step, stepSeconds: step }
    await learnSpan(policies, so, shapes, 'all', ticks, ports, ended)
    const targets = await ports.targets(policies, decideFrom, ended)
    so.state = withTargets(so.state, targets, decideFrom)
    await replay(policies, so, { from: decideFrom, until: previous, stepSeconds: step }, ports, ended)
  })
  return { state: last.state, lost: [...history.lost, ...last.lost] }
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

async function replay(
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
async function bounded(
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

function withTargets(state: State, targets: Readonly<Record<VariantId, number>>, at: number): State {
  const variants = Object.fromEntries(
    Object.entries(targets).map(([id, target]) => [id, { target, plannedAt: at }]),
  )
  return { ...state, variants: { ...state.variants, ...variants } }
}

/** How many decisions to replay: past the hold and the staleness budget nothing of an older one is left. */
function replayTicks({ policies }: PolicySet, intervalSeconds: number): number {
  const windows = policies.map(({ behavior }) =>
    Math.max(
      behavior.scaleDownHoldSeconds,
      behavior.stalenessBudgetSeconds,
      behavior.zero.afterSeconds,
      burstSeconds,
    ),
  )
  const ticks = Math.ceil((Math.max(0, ...windows) + beyondSeconds) / intervalSeconds)
  return Math.min(mostTicks, Math.max(fewestTicks, ticks))
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
