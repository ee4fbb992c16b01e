// Read this first: from what is observed to what is emitted, on one screen. Pure: `observation.at` is the
// only time it knows, and equal arguments give equal decisions, byte for byte.
import type { CostPerHour, Decision, PolicyDecision } from './decision.ts'
import { existingGpus, freeGpus, plannableGpus } from './inventory.ts'
import { policyMemoryOf } from './memory.ts'
import type { Observation } from './observation.ts'
import { plans } from './plan.ts'
import type { PolicySet } from './policy.ts'
import { isMissing, type Reading } from './reading.ts'
import { settle } from './settle.ts'
import type { State } from './state.ts'
import type { Tools } from './tools.ts'
import { byUrgency, look } from './view.ts'
import { decisionWarnings } from './warn.ts'

export interface Decided {
  readonly decision: Decision
  readonly state: State
}

export function decide(policies: PolicySet, state: State, observation: Observation, tools: Tools): Decided {
  // demand and capacity: what each policy's classes ask for, and what a replica of each variant carries
  const views = policies.policies.map((policy) => look(policy, state, observation, tools.capacities))
  // optimize: the cheapest mix within the GPUs there are
  const gpus = existingGpus(views, policies.pools, state, observation)
  const planned = plans(views, plannableGpus(gpus, views, observation), observation.at, tools)
  // stabilize: what may change now; free GPUs go to the most urgent policy first
  const free = freeGpus(views, gpus)
  const settled = views
    .toSorted(byUrgency)
    .map((view) => settle(view, planned.get(view.policy.id), free, state, observation, tools.engines))
  const decisions = settled.map(({ decision }) => decision).toSorted((x, y) => (x.id < y.id ? -1 : 1))
  return {
    decision: {
      at: observation.at,
      policies: decisions,
      costPerHour: fleetCost(decisions),
      warnings: [...observation.warnings, ...decisionWarnings(decisions)],
    },
    state: {
      format: 'mixscaler-state/1',
      policies: Object.fromEntries(
        views.map((view) => [view.policy.id, policyMemoryOf(view, planned.get(view.policy.id))]),
      ),
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
