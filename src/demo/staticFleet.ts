// What one would run without a scaler: the cheapest mix for the peak, by the same optimizer, all the time, under
// the same traffic.
import type { Decided } from '../core/decide.ts'
import type { Observation } from '../core/observation.ts'
import type { PolicySet, ScalingPolicy } from '../core/policy.ts'
import { isMissing } from '../core/reading.ts'
import { emptyState, type State } from '../core/state.ts'
import { Fleet } from '../simulation/fleet.ts'
import type { Request } from '../simulation/request.ts'
import { World } from '../simulation/world.ts'
import { costOf } from './play.ts'
import { fleetSettings } from './scenario.ts'
import { type Service, Watch, windowSeconds } from './watch.ts'

export interface StaticFleet {
  /** By variant name. */
  readonly replicas: Readonly<Record<string, number>>
  readonly cost: number
  readonly service: Service
}

/** Counts that the production decision wants for so many requests per second, lengths as observed. */
export function sizedFor(
  requestsPerSecond: number,
  policies: PolicySet,
  observation: Observation,
  decide: (policies: PolicySet, state: State, observation: Observation) => Decided,
): Readonly<Record<string, number>> {
  const asked: PolicySet = {
    ...policies,
    policies: policies.policies.map((policy) => ({
      ...policy,
      classes: policy.classes.map((one) => ({
        ...one,
        demand: { kind: 'query', requestsPerSecond: 'peak' },
      })),
    })),
  }
  const classes = Object.fromEntries(
    policies.policies.flatMap((policy) => policy.classes.map(({ id }) => [id, { requestsPerSecond }])),
  )
  const { decision } = decide(asked, emptyState, { ...observation, classes })
  const variants = decision.policies.flatMap((policy) => policy.variants)
  return Object.fromEntries(variants.map(({ name, wanted }) => [name, isMissing(wanted) ? 0 : wanted]))
}

/** The same traffic on a fleet that never changes. */
export function runStatic(
  policy: ScalingPolicy,
  replicas: Readonly<Record<string, number>>,
  traffic: Iterator<Request>,
  untilSeconds: number,
  seed: number,
): StaticFleet {
  const settings = fleetSettings(policy, replicas, seed)
  const watch = new Watch(settings.classes[0])
  const world = new World(new Fleet(settings, watch), traffic)
  for (let at = 0; at < untilSeconds; at += windowSeconds) {
    world.advance(at)
    watch.recent(at, world.fleet.gatewayArrived)
  }
  world.advance(untilSeconds)
  watch.recent(untilSeconds, world.fleet.gatewayArrived)
  return { replicas, cost: costOf(world), service: watch.service }
}
