// What in a ScaledObject would keep a target from being reached, in sentences: each names the object, the field, its
// value and what the policy needs. Why each matters: docs/KEDA.md, "The ScaledObject".
import type { PolicySet, ScalingPolicy, Variant, VariantId } from '../core/policy.ts'
import { type AskedVariant, nameOf } from './scaledObjects.ts'

/** A new policy would warn once per variant: more than this says nothing more. */
const mostWarnings = 50

export function scaledObjectWarnings(asked: readonly AskedVariant[], policies: PolicySet): readonly string[] {
  const byVariant = Map.groupBy(asked, ({ id }) => id)
  const found = policies.policies.flatMap((policy) => [
    ...unasked(policy, byVariant),
    ...policy.variants.flatMap((variant) => {
      const objects = byVariant.get(variant.id) ?? []
      return [
        ...several(variant, objects),
        ...objects.flatMap((one) => about(one, policy, variant, policies)),
      ]
    }),
  ])
  const variants = new Set(policies.policies.flatMap((policy) => policy.variants.map(({ id }) => id)))
  const unknown = asked
    .filter(({ id }) => !variants.has(id))
    .map(
      ({ object, ask }) =>
        `${title(object)} asks for variant ${ask.variant}, which policy ${ask.policy} does not have`,
    )
  const unique = [...new Set([...found, ...unknown])].sort()
  if (unique.length <= mostWarnings) return unique
  return [...unique.slice(0, mostWarnings), `and ${unique.length - mostWarnings} more about ScaledObjects`]
}

function unasked(policy: ScalingPolicy, asked: ReadonlyMap<VariantId, unknown>): readonly string[] {
  const missing = policy.variants.filter(({ id }) => !asked.has(id))
  if (missing.length === 0) return []
  if (missing.length === policy.variants.length)
    return [`no ScaledObject asks for any variant of ${policy.id}: nothing follows its targets`]
  return missing.map(({ id }) => `no ScaledObject asks for variant ${id}: nothing follows its target`)
}

function several({ id }: Variant, objects: readonly AskedVariant[]): readonly string[] {
  if (objects.length < 2) return []
  return [
    `variant ${id} is asked for by ${objects.map(({ object }) => nameOf(object)).join(', ')}: one should`,
  ]
}

function about(
  { object, ask }: AskedVariant,
  policy: ScalingPolicy,
  variant: Variant,
  { alsoAllowed }: PolicySet,
): readonly string[] {
  const { min, max } = variant.replicas
  const { target } = object
  const problems: string[] = []
  const isAllowed =
    object.namespace === policy.namespace || (alsoAllowed[policy.id] ?? []).includes(object.namespace)
  if (!isAllowed) problems.push(`asks for policy ${policy.id}, which does not allow its namespace`)
  if (object.namespace !== policy.namespace || !isSame(target, variant.scaleTarget))
    problems.push(
      `scales ${target.kind} ${object.namespace}/${target.name}, the variant is ${variant.scaleTarget.kind} ${policy.namespace}/${variant.scaleTarget.name}`,
    )
  if (object.min > min)
    problems.push(
      `minReplicaCount ${object.min} is above the policy's minimum of ${min}: KEDA keeps what nobody planned`,
    )
  if (object.max < max)
    problems.push(
      `maxReplicaCount ${object.max} is below the policy's maximum of ${max}: targets above it are cut`,
    )
  if (ask.metricType !== 'AverageValue')
    problems.push(
      `metricType is ${ask.metricType}, must be AverageValue: the count is multiplied by the ready pods`,
    )
  if (object.fallbackReplicas === undefined)
    problems.push('has no fallback: while the scaler fails, nothing moves')
  else if (object.fallbackReplicas === 0)
    problems.push('fallback.replicas is 0: while the scaler fails, KEDA scales to zero')
  if (object.otherTriggers.length > 0)
    problems.push(`has other triggers (${object.otherTriggers.join(', ')}): KEDA takes the highest proposal`)
  if (object.modifiers === 'formula') problems.push('has scalingModifiers: KEDA scales by their formula')
  return [...problems, ...hpaProblems(object, policy, variant)].map(
    (problem) => `${title(object)} ${problem}`,
  )
}

function hpaProblems(
  { up, down }: AskedVariant['object'],
  { behavior }: ScalingPolicy,
  { replicas: { max } }: Variant,
): readonly string[] {
  const problems: string[] = []
  // A tolerance below 1/n cannot swallow a step of one at n replicas.
  const tolerance = Math.max(up.tolerance, down.tolerance)
  const matters = tolerance > 0 && max >= 1 / tolerance
  if (matters && tolerance > behavior.hpaTolerance)
    problems.push(
      `has an HPA that ignores changes within ${percent(tolerance)}, the policy says hpaTolerance ${percent(behavior.hpaTolerance)}: set tolerance "0" in scaleUp and scaleDown, or the policy to ${percent(tolerance)}`,
    )
  if (down.windowSeconds > 0)
    problems.push(
      `scaleDown.stabilizationWindowSeconds is ${down.windowSeconds}, should be 0: the policy holds already`,
    )
  if (up.windowSeconds > 0)
    problems.push(`scaleUp.stabilizationWindowSeconds is ${up.windowSeconds}, should be 0: growth comes late`)
  for (const [direction, rules] of [
    ['scaleUp', up],
    ['scaleDown', down],
  ] as const) {
    if (rules.selectPolicy === 'Disabled')
      problems.push(`${direction}.selectPolicy is Disabled: it never does`)
  }
  return problems
}

function isSame(x: Variant['scaleTarget'], y: Variant['scaleTarget']): boolean {
  return x.kind === y.kind && x.name === y.name && group(x.apiVersion) === group(y.apiVersion)
}

function group(apiVersion: string): string {
  return apiVersion.slice(0, Math.max(0, apiVersion.indexOf('/')))
}

function title(object: AskedVariant['object']): string {
  return `ScaledObject ${nameOf(object)}`
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))}%`
}
