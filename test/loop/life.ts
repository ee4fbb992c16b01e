// A fleet that is lived through tick by tick, and the past as a server finds it that starts at one of them.
import { Registry } from 'prom-client'
import { type Decided, decide } from '../../src/core/decide.ts'
import type { Observation, VariantSignals } from '../../src/core/observation.ts'
import { type LastDecided, lastDecided, nothingDecided } from '../../src/core/observe/ownSeries.ts'
import { missing } from '../../src/core/reading.ts'
import { instantsOf } from '../../src/core/span.ts'
import type { State } from '../../src/core/state.ts'
import { catchUp, type Known } from '../../src/loop/catchUp.ts'
import { systemClock } from '../../src/loop/clock.ts'
import type { PastPorts } from '../../src/loop/readPast.ts'
import { parseExposition, seriesName } from '../../src/simulation/seriesText.ts'
import { decisionMetrics } from '../../src/telemetry/decisionMetrics.ts'
import { behavior } from '../behavior.ts'
import { blind, observe, policy, policySet, signals, tools, variant } from '../decide/world.ts'

export const interval = 15
export const options = { intervalSeconds: interval, limitSeconds: 60 }
export const never = new AbortController().signal
export const begun = 20_700 * 86_400 + 9 * 3600 + 45
export const fleet = policySet([
  policy([variant('h100'), variant('spare', { costPerHour: 4.1 })], {
    behavior: { ...behavior, forecastQuantile: 0.9 },
  }),
])

/** What the world was like at every tick, and what was decided then. */
export interface Life {
  readonly observations: ReadonlyMap<number, Observation>
  readonly decided: ReadonlyMap<number, Decided>
}

/** What else a variant with so many replicas shows at a tick. */
type Also = (tick: number, replicas: number) => Partial<VariantSignals>

/** Lives through these demands: replicas follow targets a tick later. */
export async function live(
  demands: readonly number[],
  unseenAt: ReadonlySet<number>,
  also: Also = () => ({}),
): Promise<Life> {
  const observations = new Map<number, Observation>()
  const decided = new Map<number, Decided>()
  let state: State = (await started(begun, { observations, decided })).state
  let replicas = { h100: 2, spare: 1 }
  demands.forEach((demand, i) => {
    const at = begun + i * interval
    const total = replicas.h100 + replicas.spare
    const seen = (count: number) => signals(count, (demand * count) / total, also(i, count))
    const h100 = unseenAt.has(i) ? blind(missing('stale')) : seen(replicas.h100)
    const observation = observe(at, { h100, spare: seen(replicas.spare) })
    const step = decide(fleet, state, observation, tools)
    observations.set(at, observation)
    decided.set(at, step)
    state = step.state
    const targets = targetsOf(step)
    replicas = { h100: targets['chat/llama/h100'] ?? 2, spare: targets['chat/llama/spare'] ?? 1 }
  })
  return { observations, decided }
}

export function targetsOf(step: Decided | undefined): Readonly<Record<string, number>> {
  const variants = step?.decision.policies.flatMap((each) => each.variants) ?? []
  return Object.fromEntries(
    variants.flatMap(({ id, target }) => (typeof target === 'number' ? [[id, target]] : [])),
  )
}

/** The decision at `at` as a server's own metrics have it, and as it is read back from their text. */
export async function recordOf(decided: Life['decided'], at: number): Promise<LastDecided> {
  const known = decided.get(at)
  if (known === undefined) return nothingDecided
  const registry = new Registry()
  decisionMetrics(registry, () => at).decided(known.decision, known.state)
  const exposition = parseExposition(await registry.metrics())
  if (exposition.kind === 'malformed') throw new Error(`line ${exposition.line} of the metrics is malformed`)
  return lastDecided(
    [...exposition.samples].flatMap(([written, value]) => {
      const series = seriesName(written)
      return series === undefined ? [] : [{ labels: { ...series.labels, __name__: series.name }, value }]
    }),
  )
}

export function past({ observations, decided }: Life, changes: Partial<PastPorts> = {}): PastPorts {
  const nothing = (at: number) =>
    observe(at, { h100: blind(missing('noSeries')), spare: blind(missing('noSeries')) })
  return {
    clock: systemClock,
    observe: async (_, span, wanted) =>
      instantsOf(span).map((at) => {
        const observation = observations.get(at) ?? nothing(at)
        return wanted === 'all' ? observation : demandOf(observation)
      }),
    lastDecided: async (_, at) => recordOf(decided, at - interval),
    decide: async (policies, state, observation) => decide(policies, state, observation, tools),
    pause: async () => undefined,
    progress: () => undefined,
    ...changes,
  }
}

function demandOf(observation: Observation): Observation {
  const only = (all: VariantSignals): VariantSignals => {
    const { replicas, reporting, running, waiting, inSystemGrowthPerSecond, completionsPerSecond } = all
    const demand = { replicas, reporting, running, waiting, inSystemGrowthPerSecond, completionsPerSecond }
    return blind(missing('backendDown'), demand)
  }
  const variants = Object.entries(observation.variants).map(([id, all]) => [id, only(all)])
  return { ...observation, variants: Object.fromEntries(variants) }
}

export function started(at: number, life: Life, changes: Partial<PastPorts> = {}, known?: Known) {
  return catchUp({ policies: fleet, at, known }, past(life, changes), options, never)
}
