// The whole loop on a virtual clock, without network: a request-level fleet is scraped into the store in memory, the real
// `decide` decides from what the production queries read there, and its targets are applied at the HPA's next sync.
import { decide } from '../../src/core/decide.ts'
import type { Decision } from '../../src/core/decision.ts'
import type { ReplicaCounts } from '../../src/core/observation.ts'
import { defaultObserveOptions, queryPlan } from '../../src/core/observe/queries.ts'
import type { PolicySet, Variant, VariantId } from '../../src/core/policy.ts'
import { isMissing } from '../../src/core/reading.ts'
import { emptyState, type State } from '../../src/core/state.ts'
import type { Tools } from '../../src/core/tools.ts'
import { exposition } from '../../src/simulation/exposition.ts'
import { Fleet, type FleetSettings } from '../../src/simulation/fleet.ts'
import type { Pod } from '../../src/simulation/pod.ts'
import type { Request } from '../../src/simulation/request.ts'
import { observeStore } from '../../src/simulation/seriesObserver.ts'
import { SeriesStore } from '../../src/simulation/seriesStore.ts'
import { World } from '../../src/simulation/world.ts'
import { Service } from './service.ts'

export const epochSeconds = Date.UTC(2026, 0, 1) / 1000
export const tickSeconds = 15

export interface LoopSettings {
  readonly policies: PolicySet
  /** The fleet as it is; variants are named like the policies' scale targets. */
  readonly fleet: FleetSettings
  readonly arrivals: Iterator<Request>
  readonly tools: Tools
  /** Percentile that the SLO's bounds are stated at. */
  readonly percentile: number
  /** What a pod says instead of its text. */
  readonly says?: (pod: Pod, text: string, atSeconds: number) => string
}

export interface LoopTick {
  readonly atSeconds: number
  readonly decision: Decision
  readonly state: State
  readonly fleet: Fleet
}

export interface ClosedLoop {
  readonly fleet: Fleet
  readonly service: Service
  /** Plays on to this virtual time; `each` sees every tick and may break things. */
  readonly play: (untilSeconds: number, each?: (tick: LoopTick) => void) => void
}

export function closedLoop(settings: LoopSettings): ClosedLoop {
  const { policies, tools } = settings
  const service = new Service(settings.fleet.classes, settings.percentile)
  const fleet = new Fleet(settings.fleet, service)
  const world = new World(fleet, settings.arrivals)
  const plan = queryPlan(policies, defaultObserveOptions)
  const store = new SeriesStore(defaultObserveOptions.lengthWindowSeconds)
  const variants = policies.policies.flatMap((policy) => policy.variants)
  const scraped = scraper(settings, fleet, store)
  let state = emptyState
  let decision: Decision | undefined
  return {
    fleet,
    service,
    play: (untilSeconds, each) => {
      for (let at = fleet.nowSeconds + tickSeconds; at <= untilSeconds; at += tickSeconds) {
        world.advance(at)
        if (at % 60 === 0) service.endMinute()
        scraped(at)
        // The HPA syncs just before the tick: what was decided 15 s ago is what it reads.
        if (decision !== undefined) applyTargets(decision, variants, fleet)
        const counts = Object.fromEntries(variants.map((variant) => [variant.id, countsOf(variant, fleet)]))
        const observation = observeStore(store, policies, plan, epochSeconds + at, {
          replicas: counts,
          pools: {},
        })
        const decided = decide(policies, state, observation, tools)
        state = decided.state
        decision = decided.decision
        each?.({ atSeconds: at, decision, state, fleet })
      }
    },
  }
}

function applyTargets({ policies }: Decision, variants: readonly Variant[], fleet: Fleet): void {
  const targets = new Map<VariantId, number>(
    policies
      .flatMap((policy) => policy.variants)
      .flatMap(({ id, effective }) => (isMissing(effective) ? [] : [[id, effective] as const])),
  )
  for (const { id, scaleTarget } of variants) {
    const target = targets.get(id)
    if (target !== undefined && target !== fleet.counts(scaleTarget.name).desired)
      fleet.scale(scaleTarget.name, target)
  }
}

function countsOf({ scaleTarget }: Variant, fleet: Fleet): ReplicaCounts {
  const counts = fleet.counts(scaleTarget.name)
  const starting = fleet
    .pods()
    .filter((pod) => pod.variant.name === scaleTarget.name && pod.phase === 'starting')
    .map((pod) => epochSeconds + pod.createdAtSeconds)
  return starting.length === 0 ? counts : { ...counts, startingSince: starting.sort((x, y) => x - y) }
}

function scraper({ says }: LoopSettings, fleet: Fleet, store: SeriesStore): (atSeconds: number) => void {
  const { namespace, model } = fleet.settings
  const targetOf = (pod: string) => ({ namespace, pod, job: `${namespace}/vllm`, instance: pod })
  let known = new Set<string>()
  return (atSeconds) => {
    const at = epochSeconds + atSeconds
    const pods = fleet.pods()
    for (const pod of pods) {
      const text = exposition(pod, { flavour: 'v1', model, epochSeconds })
      if (text === undefined) store.scrapeFailed(targetOf(pod.name), at)
      else store.scrape(targetOf(pod.name), says?.(pod, text, atSeconds) ?? text, at)
    }
    const names = new Set(pods.map(({ name }) => name))
    for (const name of known) if (!names.has(name)) store.targetGone(targetOf(name), at)
    known = names
  }
}
