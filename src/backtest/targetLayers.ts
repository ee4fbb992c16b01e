// Where the money of one decision goes: from demand at the cheapest price, layer by layer, to what the targets cost. Demand
// times a price is what a fleet without whole replicas would cost; each layer is what one more step of the decision adds.
//   10 req/s at $3.60/h for 8 req/s: demand $4.50/h; planned for 12: $5.40/h; 2 replicas: whole replicas $1.80/h
import type { ClassDecision, Decision, PolicyDecision, VariantDecision } from '../core/decision.ts'
import type { PolicySet, VariantId } from '../core/policy.ts'
import { isMissing, missing, type Reading } from '../core/reading.ts'
import { rateOf } from '../core/sizing.ts'

/** Dollars per hour, signed. They add up to what the targets cost. */
export interface TargetLayers {
  readonly demand: number
  readonly forecast: number
  readonly hold: number
  readonly headroom: number
  readonly wholeReplicas: number
  readonly deadBand: number
  readonly limits: number
}

/**
 * `policies` are those that were decided on; `bandsPerHour` is what dead band and hold band add to the cost of the plan.
 * Missing where demand, plan, target or price of anything is: layers of a part of the fleet would add up to nothing.
 */
export function targetLayers(
  policies: PolicySet,
  decision: Decision,
  bandsPerHour: Reading,
): Reading<TargetLayers> {
  const { plan, target } = decision.costPerHour
  if (isMissing(plan)) return plan
  if (isMissing(target)) return target
  if (isMissing(bandsPerHour)) return bandsPerHour
  const groups = transferGroups(policies)
  const sum = { demand: 0, forecast: 0, hold: 0, headroom: 0 }
  for (const policy of decision.policies)
    for (const one of policy.classes) {
      const own = classLayers(one, policy, groups)
      if (isMissing(own)) return own
      sum.demand += own.demand
      sum.forecast += own.forecast
      sum.hold += own.hold
      sum.headroom += own.headroom
    }
  const plannedFor = sum.demand + sum.forecast + sum.hold + sum.headroom
  return {
    ...sum,
    wholeReplicas: plan - plannedFor - bandsPerHour,
    deadBand: bandsPerHour,
    limits: target - plan,
  }
}

function classLayers(
  one: ClassDecision,
  policy: PolicyDecision,
  groups: TransferGroups,
): Reading<Pick<TargetLayers, 'demand' | 'forecast' | 'hold' | 'headroom'>> {
  const { demand, plannedFor, headroom, workAhead } = one
  if (isMissing(demand)) return demand
  if (isMissing(plannedFor)) return plannedFor
  const price = cheapestPrice(one.name, policy.variants, groups)
  if (isMissing(price)) return price
  const asked = askedFor(demand, one, policy) * workAhead
  const held = plannedFor / (1 + headroom.planned)
  return {
    demand: demand * price,
    forecast: (asked - demand) * price,
    hold: (held - asked) * price,
    headroom: (plannedFor - held) * price,
  }
}

/** By forecast or schedule, and never below what arrives. A class at rest is started by its first request, not by a forecast. */
function askedFor(demand: number, { name, forecast }: ClassDecision, { reasons }: PolicyDecision): number {
  const ahead = isMissing(forecast) || demand <= 0 ? demand : Math.max(demand, forecast.atQuantile)
  const scheduled = reasons.flatMap((reason) =>
    reason.kind === 'schedule' && reason.class === name ? [reason.requestsPerSecond] : [],
  )
  return Math.max(ahead, ...scheduled)
}

type TransferGroups = ReadonlyMap<VariantId, string>

function transferGroups({ policies }: PolicySet): TransferGroups {
  return new Map(
    policies
      .flatMap(({ variants }) => variants)
      .flatMap(({ id, transferGroup }) =>
        transferGroup === undefined ? [] : [[id, transferGroup] as const],
      ),
  )
}

/** Dollars per hour for one request per second: of the variant that is cheapest for the class, or the pair. */
function cheapestPrice(
  className: string,
  variants: readonly VariantDecision[],
  groups: TransferGroups,
): Reading {
  const prices = variants.flatMap(({ id, role, capacity, costPerReplicaHour }) => {
    const answer = capacity[className]
    const rate = answer === undefined ? 0 : rateOf(answer)
    return rate > 0 ? [{ role, group: groups.get(id), price: costPerReplicaHour / rate }] : []
  })
  const unified = prices.filter(({ role }) => role === 'unified').map(({ price }) => price)
  const pairs = prices
    .filter(({ role }) => role === 'prefill')
    .flatMap((prefill) =>
      prices
        .filter(({ role, group }) => role === 'decode' && group === prefill.group)
        .map((decode) => prefill.price + decode.price),
    )
  const wholes = [...unified, ...pairs]
  return wholes.length === 0
    ? missing('infinite', `the price of ${className}: no variant serves it`)
    : Math.min(...wholes)
}
