// Answers already worked out, so that a tick pays only for what changed: a thousand variants of which five in a
// hundred are new cost five in a hundred. It is the caller's to keep and never changes an answer, only its price.
import { among, type Pooling, poolingOf } from './capacity.ts'
import type { Capacity, CapacityQuestion, Shape } from './question.ts'

export interface CapacityMemo {
  readonly capacityOf: (question: CapacityQuestion) => Capacity
}

/**
 * Holds what was asked among the last `maxEntries / 2` questions, and at most `maxEntries` answers (about 200 bytes and a key of
 * 1 KiB each): counted in questions, so that a small fleet, whose lengths change a little all day, does not keep weeks of them.
 */
export function createCapacityMemo(maxEntries = 20_000, workOut = poolingOf): CapacityMemo {
  let [young, old] = [new Map<string, Pooling>(), new Map<string, Pooling>()]
  let asked = 0
  return {
    capacityOf: (question) => {
      const key = capacityKey(question)
      const pooling = young.get(key) ?? old.get(key) ?? workOut(question)
      young.set(key, pooling)
      asked += 1
      if (asked >= maxEntries / 2) {
        ;[young, old] = [new Map(), young]
        asked = 0
      }
      return among(pooling, question.replicas)
    },
  }
}

const shapeKeys = new WeakMap<Shape, string>()

/** Most of the key, and the same for all variants of a class, tick after tick. */
function shapeKey(shape: Shape): string {
  const known = shapeKeys.get(shape)
  if (known !== undefined) return known
  const key = JSON.stringify([
    shape.promptTokens.map(({ tokens, weight }) => [tokens, weight]),
    shape.outputTokens.map(({ tokens, weight }) => [tokens, weight]),
    [shape.prefixHitRate, shape.contextTokens],
  ])
  shapeKeys.set(shape, key)
  return key
}

/** Equal for questions with equal answers at every count of replicas: all the numbers, in a fixed order. */
export function capacityKey(question: CapacityQuestion): string {
  const { profile, limits, shape, goal } = question
  return JSON.stringify([
    question.role,
    [profile.a, profile.b, profile.c, profile.ap, profile.bp, profile.d2, profile.g, profile.h],
    [profile.mixtureOfExperts?.x, profile.mixtureOfExperts?.kappa],
    [limits.maxNumSeqs, limits.maxNumBatchedTokens, limits.kvTokens],
    shapeKey(shape),
    goal.kind === 'throughput'
      ? goal.kind
      : [goal.ttft, goal.itl, goal.tpot].map((bound) => bound && [bound.percentile, bound.seconds]),
    [question.dispersion, question.sloMargin, question.maxLoad],
  ])
}
