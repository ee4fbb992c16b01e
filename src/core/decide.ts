// Read this first: from what is observed to what is emitted, on one screen. Pure: `observation.at` is the
// only time it knows, and equal arguments give equal decisions, byte for byte.
import type { CapacityMemo } from './capacity/memo.ts'
import type { CostPerHour, Decision, PolicyDecision } from './decision.ts'
import type { Observation } from './observation.ts'
import type { Engines } from './optimize/engine.ts'
import { plans } from './plan.ts'
import type { PolicySet } from './policy.ts'
import { isMissing, type Reading } from './reading.ts'
import { settle } from './settle.ts'
import type { State } from './state.ts'
import { look } from './view.ts'

export interface Tools {
  readonly engines: Engines
  /** Remembers answers between ticks. It saves time and changes nothing. */
  readonly memo: CapacityMemo
}

export interface Decided {
  readonly decision: Decision
  readonly state: State
}

export function decide(policies: PolicySet, state: State, observation: Observation, tools: Tools): Decided {
  // demand and capacity: what each policy's classes ask for, and what a replica of each variant carries
  const views = policies.policies.map((policy) => look(policy, state, observation, tools.memo))
  // optimize: the cheapest mix
  const planned = plans(views, policies.pools, state, observation, tools.engines)
  // stabilize: what may change now
  const settled = views.map((view) =>
    settle(view, planned.get(view.policy.id), state, observation, tools.engines),
  )
  const decisions = settled.map(({ decision }) => decision)
  return {
    decision: {
      at: observation.at,
      policies: decisions,
      costPerHour: fleetCost(decisions),
      warnings: observation.warnings,
    },
    state: {
      format: 'mixscaler-state/1',
      policies: Object.fromEntries(views.map(({ policy, memory }) => [policy.id, memory])),
      variants: Object.assign({}, ...settled.map(({ variants }) => variants)),
      classes: Object.assign({}, ...settled.map(({ classes }) => classes)),
    },
  }
}

function fleetCost(decisions: readonly PolicyDecision[]): CostPerHour {
  const total = (cost: (decision: PolicyDecision) => Reading): Reading => {
    let sum = 0
    for (const decision of decisions) {
      const perHour = cost(decision)
      if (isMissing(perHour)) return perHour
      sum += perHour
    }
    return sum
  }
  return {
    now: total(({ costPerHour }) => costPerHour.now),
    plan: total(({ costPerHour }) => costPerHour.plan),
    target: total(({ costPerHour }) => costPerHour.target),
  }
}
