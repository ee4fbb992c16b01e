// The last published decision and who may read it: every answer to KEDA is a look-up here, in memory.
// What is unknown, stale or missing is an error for the caller and never a 0.
import type { VariantDecision } from '../core/decision.ts'
import type { Behavior, PolicyId, PolicySet, ScalingPolicy, VariantId } from '../core/policy.ts'
import type { Publication, TargetAnswer } from '../core/publication.ts'
import { isMissing } from '../core/reading.ts'
import { missingName } from '../core/sentence.ts'

export interface PublishedDecision extends Publication {
  /** Which policies there are, before and between decisions. */
  readonly setPolicies: (policies: AskablePolicies) => void
  readonly publish: (decision: TellableDecision) => void
}

/** What of the policies says who may ask for what. */
export interface AskablePolicies extends Pick<PolicySet, 'alsoAllowed'> {
  readonly policies: readonly (Pick<ScalingPolicy, 'id' | 'name' | 'namespace'> & {
    readonly variants: readonly { readonly id: VariantId }[]
    readonly behavior: Pick<Behavior, 'stalenessBudgetSeconds'>
  })[]
}

/** What of a decision KEDA may be told. */
export interface TellableDecision {
  readonly at: number
  readonly policies: readonly { readonly variants: readonly TellableVariant[] }[]
}

type TellableVariant = Pick<VariantDecision, 'id' | 'target' | 'replicas'>

/** The rest left out, for where it would be copied in vain. */
export function askablePolicies({ policies, alsoAllowed }: PolicySet): AskablePolicies {
  return {
    policies: policies.map(({ id, name, namespace, variants, behavior: { stalenessBudgetSeconds } }) => ({
      ...{ id, name, namespace, behavior: { stalenessBudgetSeconds } },
      variants: variants.map((variant) => ({ id: variant.id })),
    })),
    alsoAllowed,
  }
}

/** Likewise. */
export function tellableDecision({ at, policies }: TellableDecision): TellableDecision {
  return {
    at,
    policies: policies.map(({ variants }) => ({
      variants: variants.map(({ id, target, replicas }) => ({ id, target, replicas })),
    })),
  }
}

/** `current` is the dry run: callers get the count that is asked for already, so nothing moves. */
export type Emission = 'target' | 'current'

/** `now` in seconds since the epoch. Listeners must not throw. */
export function publishedDecision(now: () => number, emission: Emission): PublishedDecision {
  let policies: AskablePolicies = { policies: [], alsoAllowed: {} }
  let owners: ReadonlyMap<string, PolicyId> = new Map()
  let answers: ReadonlyMap<VariantId, PreparedAnswer> = new Map()
  let decision: TellableDecision | undefined
  const listeners = new Set<() => void>()
  return {
    setPolicies: (set) => {
      policies = set
      owners = ownersByCaller(set)
      answers = prepareAnswers(set, decision, emission)
    },
    publish: (published) => {
      decision = published
      answers = prepareAnswers(policies, decision, emission)
      for (const listener of [...listeners]) listener()
    },
    target: ({ namespace, policy, variant }) => {
      const owner = owners.get(callerKey(namespace, policy))
      const prepared = owner === undefined ? undefined : answers.get(`${owner}/${variant}`)
      return prepared === undefined ? { kind: 'unknown' } : ifFresh(prepared, now())
    },
    subscribe: (listener) => {
      // Wrapped, so that one function subscribed twice is two subscriptions.
      const subscription = () => listener()
      listeners.add(subscription)
      return () => void listeners.delete(subscription)
    },
  }
}

interface PreparedAnswer {
  readonly answer: TargetAnswer
  readonly stalenessBudgetSeconds: number
}

/** Age counts in both directions: once the clock is set back, a decision from the future is no fresher. */
function ifFresh({ answer, stalenessBudgetSeconds }: PreparedAnswer, now: number): TargetAnswer {
  if (answer.kind !== 'target' || Math.abs(now - answer.at) <= stalenessBudgetSeconds) return answer
  const age = Math.round(now - answer.at)
  return {
    kind: 'unavailable',
    why: `the last decision is ${age} s old: the policy allows ${stalenessBudgetSeconds} s`,
  }
}

function prepareAnswers(
  set: AskablePolicies,
  decision: TellableDecision | undefined,
  emission: Emission,
): ReadonlyMap<VariantId, PreparedAnswer> {
  const decided = new Map(
    decision?.policies.flatMap(({ variants }) => variants.map((variant) => [variant.id, variant])),
  )
  const answers = new Map<VariantId, PreparedAnswer>()
  for (const { variants, behavior } of set.policies) {
    for (const { id } of variants) {
      const answer = answerFrom(decision, decided.get(id), emission)
      answers.set(id, { answer, stalenessBudgetSeconds: behavior.stalenessBudgetSeconds })
    }
  }
  return answers
}

function answerFrom(
  decision: TellableDecision | undefined,
  variant: TellableVariant | undefined,
  emission: Emission,
): TargetAnswer {
  if (decision === undefined || variant === undefined)
    return { kind: 'unavailable', why: 'nothing has been decided yet' }
  if (emission === 'target')
    return isMissing(variant.target)
      ? { kind: 'unavailable', why: `no target: ${missingName(variant.target.missing)}` }
      : { kind: 'target', replicas: variant.target, at: decision.at }
  return isMissing(variant.replicas)
    ? { kind: 'unavailable', why: `dry run, and no current count: ${missingName(variant.replicas.missing)}` }
    : { kind: 'target', replicas: variant.replicas.desired, at: decision.at }
}

/**
 * Which policy a caller means. `name` is a policy of the caller's own namespace, else the only one of that name
 * that its owner opened to the caller; `namespace/name` always says which.
 */
function ownersByCaller(set: AskablePolicies): ReadonlyMap<string, PolicyId> {
  const owners = new Map<string, PolicyId>()
  const ambiguous = new Set<string>()
  for (const { id, name } of set.policies) {
    for (const namespace of set.alsoAllowed[id] ?? []) {
      const key = callerKey(namespace, name)
      if (owners.has(key)) ambiguous.add(key)
      owners.set(key, id)
      owners.set(callerKey(namespace, id), id)
    }
  }
  for (const key of ambiguous) owners.delete(key)
  for (const { id, name, namespace } of set.policies) {
    owners.set(callerKey(namespace, name), id)
    owners.set(callerKey(namespace, id), id)
  }
  return owners
}

/** A line feed occurs in no Kubernetes name, so that two callers never share a key. */
function callerKey(namespace: string, policy: string): string {
  return `${namespace}\n${policy}`
}
