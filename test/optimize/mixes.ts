// Small problems to plan, written by what differs from an ordinary one.
import type { MixClass, MixPlan, MixProblem, MixVariant } from '../../src/core/optimize/mix.ts'
import { planMix } from '../../src/core/optimize/planMix.ts'
import { loadEngines } from '../../src/solvers/engines.ts'

export const engines = await loadEngines()

export function variant(id: string, differs: Partial<MixVariant> = {}): MixVariant {
  return {
    id,
    role: 'unified',
    pool: 'pool',
    gpusPerReplica: 1,
    costPerHour: 1,
    min: 0,
    max: 20,
    current: 0,
    startCost: 0,
    maxShare: 1,
    minShare: 0,
    ...differs,
  }
}

export function demand(id: string, requestsPerSecond: number, differs: Partial<MixClass> = {}): MixClass {
  return { id, priority: 0, requestsPerSecond, tolerant: false, ...differs }
}

/** `rates[class][variant]` is the capacity of one replica, whatever their number. */
export function mix(
  classes: readonly MixClass[],
  variants: readonly MixVariant[],
  rates: Readonly<Record<string, Readonly<Record<string, number>>>>,
  differs: Partial<MixProblem> = {},
): MixProblem {
  return {
    classes,
    variants,
    pools: [{ name: 'pool', gpus: 1000 }],
    surviveReplicas: 0,
    hpaTolerance: 0,
    capacity: (classId, variantId) => rates[classId]?.[variantId] ?? 0,
    ...differs,
  }
}

export function planned(problem: MixProblem): MixPlan {
  const plan = planMix(problem, engines)
  if (plan.status === 'failed') throw new Error(plan.why)
  return plan
}
