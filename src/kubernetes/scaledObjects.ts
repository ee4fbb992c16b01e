// The ScaledObjects that ask for our variants, as KEDA and the HPA will act on them: which count they may go to, what
// they do with it, and whether somebody paused them. What is left out has the default of KEDA or Kubernetes here.
import type { Pause } from '../core/observation.ts'
import type { PolicySet, ScaleTarget, VariantId } from '../core/policy.ts'
import type { HpaRules, ObjectMeta, ScaledObject, Trigger } from './objects.ts'

export interface ScaledObjectFacts {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly target: ScaleTarget
  readonly min: number
  readonly max: number
  readonly pause?: Pause
  readonly up: RulesFacts
  readonly down: RulesFacts
  /** Replicas on errors; absent: no fallback. */
  readonly fallbackReplicas?: number
  /** Triggers that name a policy and a variant. */
  readonly asks: readonly Ask[]
  /** Types of its other triggers. */
  readonly otherTriggers: readonly string[]
  readonly modifiers: 'none' | 'formula'
}

export interface RulesFacts {
  /** 0..1. */
  readonly tolerance: number
  readonly windowSeconds: number
  readonly selectPolicy: string
}

export interface Ask {
  readonly policy: string
  readonly variant: string
  readonly metricType: string
}

/** A ScaledObject's question that a policy answers. */
export interface AskedVariant {
  readonly object: ScaledObjectFacts
  readonly ask: Ask
  /** As the policies would have it: `namespace/policy/variant`. */
  readonly id: VariantId
}

const kedaDefaults = { min: 0, max: 100 }
/** KEDA's "the replica count is what it is": any other value than a false one pauses. */
const annotation = 'autoscaling.keda.sh/'
const hpaTolerance = 0.1

/** Undefined for ScaledObjects that no external trigger with a policy and a variant feeds. */
export function scaledObjectFacts({ metadata = {}, spec = {} }: ScaledObject): ScaledObjectFacts | undefined {
  const triggers = spec.triggers ?? []
  const asks = triggers.flatMap((trigger) => askOf(trigger) ?? [])
  if (asks.length === 0) return undefined
  const { apiVersion = 'apps/v1', kind = 'Deployment', name = '' } = spec.scaleTargetRef ?? {}
  const behavior = spec.advanced?.horizontalPodAutoscalerConfig?.behavior
  const pause = pauseOf(metadata)
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    uid: metadata.uid ?? '',
    target: { apiVersion, kind, name },
    min: spec.minReplicaCount ?? kedaDefaults.min,
    max: spec.maxReplicaCount ?? kedaDefaults.max,
    ...(pause === undefined ? {} : { pause }),
    up: rulesOf(behavior?.scaleUp, 0),
    down: rulesOf(behavior?.scaleDown, 300),
    ...(spec.fallback === undefined ? {} : { fallbackReplicas: spec.fallback.replicas ?? 0 }),
    asks,
    otherTriggers: triggers
      .filter((trigger) => askOf(trigger) === undefined)
      .map(({ type = 'unknown' }) => type),
    modifiers: (spec.advanced?.scalingModifiers?.formula ?? '') === '' ? 'none' : 'formula',
  }
}

/** Those whose policy is one of ours, whatever variant they name. */
export function askedVariants(
  objects: readonly ScaledObjectFacts[],
  { policies }: PolicySet,
): readonly AskedVariant[] {
  const known = new Set(policies.map(({ id }) => id))
  return objects
    .flatMap((object) =>
      object.asks.map((ask) => {
        const policy = ask.policy.includes('/') ? ask.policy : `${object.namespace}/${ask.policy}`
        return { object, ask, policy, id: `${policy}/${ask.variant}` }
      }),
    )
    .filter(({ policy }) => known.has(policy))
    .toSorted((x, y) => (nameOf(x.object) < nameOf(y.object) ? -1 : 1))
}

/** What is paused, by variant. Of several ScaledObjects the first that is paused counts: they are warned about. */
export function pausesOf(asked: readonly AskedVariant[]): Readonly<Record<VariantId, Pause>> {
  const pauses: Record<VariantId, Pause> = {}
  for (const { object, id } of asked) if (object.pause !== undefined) pauses[id] ??= object.pause
  return pauses
}

export function nameOf({ namespace, name }: ScaledObjectFacts): string {
  return `${namespace}/${name}`
}

function askOf({ type, metricType, metadata }: Trigger): Ask | undefined {
  const policy = metadata?.['policy']
  const variant = metadata?.['variant']
  if (type !== 'external' && type !== 'external-push') return undefined
  if (policy === undefined || variant === undefined) return undefined
  return { policy, variant, metricType: metricType ?? 'AverageValue' }
}

/** As KEDA reads them: `paused-replicas` is a pause whatever `paused` says; both directions stopped is a pause too. */
function pauseOf({ annotations = {} }: ObjectMeta): Pause | undefined {
  const paused = annotations[`${annotation}paused-replicas`]
  const replicas = paused === undefined || paused.trim() === '' ? Number.NaN : Number(paused)
  if (Number.isInteger(replicas) && replicas >= 0) return { stops: 'all', replicas }
  const isOn = (name: string): boolean => isTrue(annotations[`${annotation}${name}`])
  const scaleIn = isOn('paused-scale-in')
  const scaleOut = isOn('paused-scale-out')
  if (isOn('paused') || (scaleIn && scaleOut)) return { stops: 'all' }
  if (scaleIn) return { stops: 'scaleIn' }
  return scaleOut ? { stops: 'scaleOut' } : undefined
}

/** Go's ParseBool, which KEDA uses. */
function isTrue(text: string | undefined): boolean {
  return text !== undefined && ['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)
}

function rulesOf(rules: HpaRules | undefined, defaultWindowSeconds: number): RulesFacts {
  return {
    tolerance: rules?.tolerance === undefined ? hpaTolerance : quantity(rules.tolerance),
    windowSeconds: rules?.stabilizationWindowSeconds ?? defaultWindowSeconds,
    selectPolicy: rules?.selectPolicy ?? 'Max',
  }
}

/** Kubernetes' own notation of 0.05: `50m`. */
function quantity(value: string | number): number {
  const text = String(value)
  return text.endsWith('m') ? Number(text.slice(0, -1)) / 1000 : Number(text)
}
