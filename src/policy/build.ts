// Documents without problems to the PolicySet that the decision reads: ids given, defaults applied, sorted.
import type {
  Behavior,
  DemandSource,
  PodMatch,
  PolicySet,
  Pool,
  ScalingPolicy,
  ServiceLevel,
  TrafficClass,
  Variant,
} from '../core/policy.ts'
import { schedulesOf } from './buildSchedules.ts'
import type { PolicyDocument } from './decode.ts'
import { type Documents, poolOf, poolsOf } from './documents.ts'
import { compareText } from './problem.ts'
import type { ResolvedVariant } from './resolve.ts'
import type { StatedBehavior, StatedClass, StatedVariant } from './schema.ts'

/** Where neither the policy nor the fleet says otherwise. */
const builtIn: Behavior = {
  forecastQuantile: 'byLead',
  headroom: 0,
  attainment: 0.99,
  learn: { headroom: 'on', speed: 'on' },
  scaleDownHoldSeconds: 120,
  stepLimits: {},
  surviveReplicas: 0,
  hpaTolerance: 0.1,
  holdBand: 0.05,
  stalenessBudgetSeconds: 120,
  sloMargin: 0.95,
  maxLoad: 0.9,
  zero: { afterSeconds: 600 },
}

export function buildSet(documents: Documents, policies: readonly ScalingPolicy[]): PolicySet {
  const used = policies.flatMap(({ variants }) => variants.map(({ pool }) => pool))
  const inventory = new Map<string, Pool>(used.map((name) => [name, { name }]))
  for (const { name, gpus } of poolsOf(documents))
    if (gpus !== undefined || !inventory.has(name))
      inventory.set(name, gpus === undefined ? { name } : { name, gpus })
  const allowed = new Map<string, Set<string>>()
  for (const { stated } of documents.fleets)
    for (const { policy, namespaces } of stated.spec.access)
      allowed.set(policy, new Set([...(allowed.get(policy) ?? []), ...namespaces]))
  return {
    policies: policies.toSorted(byId),
    pools: [...inventory.values()].sort((one, other) => compareText(one.name, other.name)),
    alsoAllowed: Object.fromEntries(
      [...allowed]
        .sort(([one], [other]) => compareText(one, other))
        .map(([policy, namespaces]) => [policy, [...namespaces].sort(compareText)]),
    ),
  }
}

export function buildPolicy(
  { stated }: PolicyDocument,
  variants: readonly ResolvedVariant[],
  behavior: Behavior,
): ScalingPolicy {
  const { name, namespace } = stated.metadata
  const { model, servedNames, classes } = stated.spec
  const schedules = schedulesOf(
    `${namespace}/${name}`,
    stated.spec.behavior.schedules,
    stated.spec.behavior.events,
  )
  const id = `${namespace}/${name}`
  return {
    id,
    name,
    namespace,
    model,
    servedNames: servedNames ?? [model],
    classes: classes.map((trafficClass) => classOf(id, namespace, trafficClass)).sort(byId),
    variants: variants.map((variant) => variantOf(id, variant)).sort(byId),
    behavior,
    ...(schedules.length === 0 ? {} : { schedules }),
  }
}

/** The policy's word, else the fleet's, else the built-in one. */
export function behaviorOf(policy: PolicyDocument, { fleets }: Documents): Behavior {
  return [...fleets.map(({ stated }) => stated.spec.defaults.behavior), policy.stated.spec.behavior].reduce(
    overridden,
    builtIn,
  )
}

function overridden(base: Behavior, stated: StatedBehavior): Behavior {
  const { scaleDown, stepLimits, survive, stalenessBudget, budget, zero } = stated
  const { up = base.stepLimits.up, down = base.stepLimits.down } = stepLimits ?? {}
  const budgetPerHour = budget ?? base.budgetPerHour
  return {
    forecastQuantile: stated.forecastQuantile ?? base.forecastQuantile,
    headroom: stated.headroom ?? base.headroom,
    attainment: stated.attainment ?? base.attainment,
    learn: { ...base.learn, ...present(stated.learn ?? {}) },
    scaleDownHoldSeconds: scaleDown?.hold ?? base.scaleDownHoldSeconds,
    stepLimits: { ...(up === undefined ? {} : { up }), ...(down === undefined ? {} : { down }) },
    surviveReplicas: survive?.replicas ?? base.surviveReplicas,
    hpaTolerance: stated.hpaTolerance ?? base.hpaTolerance,
    holdBand: stated.holdBand ?? base.holdBand,
    stalenessBudgetSeconds: stalenessBudget ?? base.stalenessBudgetSeconds,
    ...(budgetPerHour === undefined ? {} : { budgetPerHour }),
    sloMargin: stated.sloMargin ?? base.sloMargin,
    maxLoad: stated.maxLoad ?? base.maxLoad,
    zero: {
      afterSeconds: zero?.after ?? base.zero.afterSeconds,
      ...present({ startWithinSeconds: zero?.startWithin ?? base.zero.startWithinSeconds }),
    },
  }
}

function classOf(policyId: string, namespace: string, stated: StatedClass): TrafficClass {
  const { name, latencyTolerant, slo, demand, assumedShape } = stated
  const serviceLevel: ServiceLevel =
    latencyTolerant === undefined
      ? { kind: 'interactive', ...present(slo ?? {}) }
      : { kind: 'latencyTolerant', completeWithinSeconds: latencyTolerant.completeWithin }
  return {
    id: `${policyId}/${name}`,
    name,
    priority: stated.priority ?? (latencyTolerant === undefined ? 0 : 10),
    serviceLevel,
    demand: sourceOf(demand, namespace),
    assumedShape,
  }
}

function sourceOf(stated: StatedClass['demand'], policyNamespace: string): DemandSource {
  if (stated === undefined) return { kind: 'engine' }
  const { gateway, match = {}, namespace = policyNamespace, requestsPerSecond, backlogTokens } = stated
  if (gateway !== undefined) return { kind: 'gateway', gateway, namespace, match }
  return { kind: 'query', ...present({ requestsPerSecond, backlogTokens }) }
}

function variantOf(policyId: string, { variant, costPerHour, profile }: ResolvedVariant): Variant {
  const { name, role, scaleTarget, accelerator, replicas, engine, transferGroup, classes } = variant
  return {
    id: `${policyId}/${name}`,
    name,
    role,
    scaleTarget,
    pods: podMatch(variant.pods),
    accelerator: { type: accelerator.type, countPerReplica: accelerator.count },
    pool: poolOf(variant),
    costPerHour,
    replicas,
    startupSeconds: variant.startup,
    engine: present(engine),
    profile,
    ...present({ transferGroup, classes }),
    maxShare: variant.maxShare,
    minShare: variant.minShare,
  }
}

function podMatch(pods: StatedVariant['pods']): PodMatch {
  if (typeof pods === 'string') return { kind: 'owner' }
  return 'label' in pods ? { kind: 'label', ...pods } : { kind: 'pattern', ...pods }
}

/** Only the keys that have a value. */
function present<T extends object>(stated: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept: { [K in keyof T]?: Exclude<T[K], undefined> } = {}
  for (const key in stated) {
    const value = stated[key]
    if (isPresent(value)) kept[key] = value
  }
  return kept
}

function isPresent<T>(value: T): value is Exclude<T, undefined> {
  return value !== undefined
}

function byId(one: { readonly id: string }, other: { readonly id: string }): number {
  return compareText(one.id, other.id)
}
