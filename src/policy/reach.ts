// Whether the promises can be kept at all: an SLO below what an idle replica needs, a budget below the cost of
// the minimums. No number of replicas helps there, so these are mistakes of the policy.
import { idleLatency } from '../core/capacity/idle.ts'
import type { Behavior } from '../core/policy.ts'
import type { PolicyDocument } from './decode.ts'
import { mayServe, problem, type Spot } from './documents.ts'
import type { PolicyProblem } from './problem.ts'
import { durationText } from './quantity.ts'
import type { ResolvedVariant } from './resolve.ts'
import type { StatedClass } from './schema.ts'

export interface Reach {
  readonly problems: readonly PolicyProblem[]
  readonly warnings: readonly PolicyProblem[]
}

const bounds = ['ttft', 'itl', 'tpot'] as const
type Bound = (typeof bounds)[number]

export function reach(
  policy: PolicyDocument,
  variants: readonly ResolvedVariant[],
  behavior: Behavior,
): Reach {
  const problems = [...budgetForMinimums(policy, variants)]
  const warnings: PolicyProblem[] = []
  for (const [index, trafficClass] of policy.stated.spec.classes.entries()) {
    for (const bound of bounds) {
      const judged = judge(policy, index, trafficClass, bound, variants, behavior)
      if (judged === undefined) continue
      if (judged.kind === 'nobody') problems.push(judged.problem)
      else warnings.push(...judged.problems)
    }
  }
  return { problems, warnings }
}

type Judged =
  /** No variant that may serve the class meets the bound, and none of them rests on a guess. */
  | { readonly kind: 'nobody'; readonly problem: PolicyProblem }
  | { readonly kind: 'some'; readonly problems: readonly PolicyProblem[] }

function judge(
  policy: PolicyDocument,
  index: number,
  trafficClass: StatedClass,
  bound: Bound,
  variants: readonly ResolvedVariant[],
  behavior: Behavior,
): Judged | undefined {
  const stated = trafficClass.slo?.[bound]
  if (stated === undefined) return undefined
  const at: Spot = { tree: policy.tree, path: ['spec', 'classes', index, 'slo', bound] }
  const handsOver = bound === 'ttft' ? 'decode' : 'prefill'
  const idle = variants
    .filter(({ variant }) => mayServe(variant, trafficClass) && variant.role !== handsOver)
    .map((one) => ({ one, seconds: idleSeconds(policy, index, trafficClass, bound, one) }))
    .toSorted((left, right) => left.seconds - right.seconds)
  // Sizing aims at a part of the bound: what only just meets the bound carries nothing.
  const tooSlow = idle.filter(({ seconds }) => seconds > stated.seconds * behavior.sloMargin)
  const fastest = idle[0]
  if (fastest === undefined || tooSlow.length === 0) return undefined
  const needs = (seconds: number) => durationText(Math.ceil((seconds / behavior.sloMargin) * 1e4) / 1e4)
  const percentile = `p${Number((stated.percentile * 100).toPrecision(4))}`
  if (tooSlow.length === idle.length && idle.every(({ one }) => one.profile.quality !== 'guess')) {
    const message = `must be at least ${needs(fastest.seconds)}: the fastest variant, ${fastest.one.variant.name}, needs that when idle`
    return {
      kind: 'nobody',
      problem: problem({ ...at, path: [...at.path, percentile] }, message, fastest.one),
    }
  }
  const problems = tooSlow.map(({ one, seconds }) =>
    problem(
      { tree: one.tree, path: [...one.path, 'name'] },
      `will not serve ${trafficClass.name}: idle, it needs ${bound.toUpperCase()} ${needs(seconds)} (profile ${one.profile.name}, ${one.profile.quality})`,
      at,
    ),
  )
  return { kind: 'some', problems }
}

function idleSeconds(
  policy: PolicyDocument,
  index: number,
  trafficClass: StatedClass,
  bound: Bound,
  { profile, variant }: ResolvedVariant,
): number {
  // Unless the author says how long prompts are, one token is the only length that is certain.
  const { promptTokens } = trafficClass.assumedShape
  const path = ['spec', 'classes', index, 'assumedShape', 'promptTokens']
  const isStated = policy.tree.locate(path, 'value').value !== undefined
  const { maxNumBatchedTokens } = variant.engine
  const latency = idleLatency({
    profile,
    promptTokens: isStated ? promptTokens : 1,
    ...(maxNumBatchedTokens === undefined ? {} : { maxNumBatchedTokens }),
  })
  return bound === 'ttft' ? latency.ttftSeconds : latency.itlSeconds
}

function budgetForMinimums(
  policy: PolicyDocument,
  variants: readonly ResolvedVariant[],
): readonly PolicyProblem[] {
  const { budget } = policy.stated.spec.behavior
  const cost = variants.reduce(
    (total, { variant, costPerHour }) => total + variant.replicas.min * costPerHour,
    0,
  )
  if (budget === undefined || cost <= budget) return []
  const message = `must be at least $${cost.toFixed(2)}/h, what the minimums of the variants cost`
  const against: Spot = { tree: policy.tree, path: ['spec', 'variants'] }
  return [problem({ tree: policy.tree, path: ['spec', 'behavior', 'budget'] }, message, against)]
}
