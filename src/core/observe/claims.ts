// Which series belong to which variant: its claim. Found from the policy alone, so that a query can be
// grouped by what distinguishes variants and the answer be dealt out by comparing strings.
import type { PolicySet, ScalingPolicy, Variant, VariantId } from '../policy.ts'
import { groupBy, mapped } from './group.ts'
import { groupPods, withoutStartAnchor } from './podNames.ts'
import {
  type Grouping,
  labelOf,
  type PodGroup,
  type PodPattern,
  type Row,
  variantLabel,
  type WorkloadSource,
  workloadLabel,
} from './series.ts'

/** A row is the variant's if it stands in the namespace and has this label with this value. */
export interface Claim {
  readonly variant: VariantId
  readonly namespace: string
  readonly label: string
  readonly value: string
  /** `model_name`s that count; rows without that label count too. */
  readonly servedNames: readonly string[]
  /** How its pods are recognised, for messages. */
  readonly how: string
}

export interface Claims {
  readonly claims: readonly Claim[]
  /** Variants that cannot be asked for, and why. */
  readonly unusable: ReadonlyMap<VariantId, string>
  /** The fewest groupings that serve every claim. */
  readonly groupings: readonly Grouping[]
  /** Every distinction at once: shows the pods that no variant claims. */
  readonly everything: Grouping
  /** The LeaderWorkerSets among the scale targets. */
  readonly groups: readonly PodGroup[]
}

export function claimsOf({ policies }: PolicySet, workload: WorkloadSource): Claims {
  const pairs = policies.flatMap((policy) => policy.variants.map((variant) => ({ policy, variant })))
  const unusable = new Map(
    pairs.flatMap(({ variant }) => {
      const problem = problemOf(variant)
      return problem === undefined ? [] : [[variant.id, problem] as const]
    }),
  )
  const usable = pairs.filter(({ variant }) => !unusable.has(variant.id))
  const claims = usable.map(({ policy, variant }) => claimOf(policy, variant))
  const patterns = usable.flatMap(({ policy, variant }) => podPattern(policy, variant)).sort(shortestFirst)
  const labels = [...new Set(claims.map(({ label }) => label))].sort()
  return {
    claims,
    unusable,
    groupings: labels.map((label) => {
      if (label === variantLabel) return { labels: [], patterns }
      return label === workloadLabel
        ? { labels: [], patterns: [], workload }
        : { labels: [label], patterns: [] }
    }),
    everything: {
      labels: labels.filter((label) => label !== variantLabel && label !== workloadLabel),
      patterns,
      workload,
    },
    groups: usable.flatMap(({ policy, variant: { scaleTarget } }) =>
      isGroup(scaleTarget.kind) ? [{ namespace: policy.namespace, name: scaleTarget.name }] : [],
    ),
  }
}

/** Who claims a row, whatever its model. */
export type Claimants = (row: Row) => readonly Claim[]

/** Rows come by the ten thousand: no key is built for any of them. */
export function claimantsIn(claims: readonly Claim[]): Claimants {
  const index = mapped(
    groupBy(claims, ({ label }) => label),
    (ofLabel) =>
      mapped(
        groupBy(ofLabel, ({ value }) => value),
        (ofValue) => groupBy(ofValue, ({ namespace }) => namespace),
      ),
  )
  return (row) => {
    const found: Claim[] = []
    for (const [label, byValue] of index) {
      const claimants = byValue.get(labelOf(row, label))?.get(labelOf(row, 'namespace'))
      if (claimants !== undefined) found.push(...claimants)
    }
    return found
  }
}

/** Whether the row is about a model that the claim's policy serves. */
export function isServed(claim: Claim, row: Row): boolean {
  const model = labelOf(row, 'model_name')
  return model === '' || claim.servedNames.includes(model)
}

function claimOf(policy: ScalingPolicy, variant: Variant): Claim {
  const { pods, scaleTarget } = variant
  const claim = { variant: variant.id, namespace: policy.namespace, servedNames: policy.servedNames }
  switch (pods.kind) {
    case 'label':
      return { ...claim, label: pods.label, value: pods.value, how: `label ${pods.label}="${pods.value}"` }
    case 'pattern':
      return { ...claim, label: variantLabel, value: variant.id, how: `pod name ${pods.pattern}` }
    case 'owner': {
      const how = `pods of ${scaleTarget.kind} ${scaleTarget.name}`
      return isGroup(scaleTarget.kind)
        ? { ...claim, label: variantLabel, value: variant.id, how }
        : { ...claim, label: workloadLabel, value: scaleTarget.name, how }
    }
  }
}

/** A LeaderWorkerSet's pods belong to StatefulSets that it generates: its own name is only in theirs. */
function podPattern(policy: ScalingPolicy, variant: Variant): readonly PodPattern[] {
  const { pods, scaleTarget } = variant
  const found = { namespace: policy.namespace, variant: variant.id }
  if (pods.kind === 'pattern') return [{ ...found, pattern: withoutStartAnchor(pods.pattern) }]
  if (pods.kind === 'owner' && isGroup(scaleTarget.kind)) {
    return [{ ...found, pattern: groupPods(scaleTarget.name) }]
  }
  return []
}

/** Policies are validated when they are loaded; this is what could change the text of a query for others. */
function problemOf({ pods }: Variant): string | undefined {
  switch (pods.kind) {
    case 'owner':
      return undefined
    case 'pattern':
      return compiles(pods.pattern) ? undefined : `pattern "${pods.pattern}" is not a regular expression`
    case 'label':
      return /^(?!__|mixscaler_)[a-zA-Z_][a-zA-Z0-9_]*$/.test(pods.label)
        ? undefined
        : `"${pods.label}" is not the name of a label on series: letters, digits and _, not starting with mixscaler_`
  }
}

function compiles(pattern: string): boolean {
  try {
    return new RegExp(pattern) instanceof RegExp
  } catch {
    return false
  }
}

function isGroup(kind: string): boolean {
  return kind === 'LeaderWorkerSet'
}

/** Of several patterns that match a pod the longest decides; equal ones are ordered, so that replays agree. */
function shortestFirst(a: PodPattern, b: PodPattern): number {
  if (a.pattern.length !== b.pattern.length) return a.pattern.length - b.pattern.length
  return a.variant < b.variant ? -1 : 1
}
