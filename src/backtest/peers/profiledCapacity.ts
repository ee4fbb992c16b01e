// What Dynamo's planner takes one engine to carry: read off a profile at mean lengths, without queueing and without a
// margin, at 100 %. Here the profile is the iteration law that the plant itself runs on, which is kinder than a table.
//
//   prefill   1 / TTFT of one prompt at a time
//   decode    n / (O T(n)), the largest n with T(n) within the ITL bound and the cache
//   unified   the same with each step's share of prefill: T(n) = S(n) + (dl + B) n / O, and T(n) + B within TTFT
import { decodeStep, prefillSurcharge, promptWork } from '../../core/capacity/iteration.ts'
import type { ScalingPolicy, Variant } from '../../core/policy.ts'
import { limitsOf } from '../../core/sizing.ts'
import type { MeanLengths } from './fleet.ts'

/** Means in milliseconds, the tightest of a policy's classes; Infinity where none is set. */
export interface MeanGoal {
  readonly ttft: number
  readonly itl: number
}

/** Dynamo's planner knows one SLA, on means; percentiles are read as if they were one. */
export function meanGoalOf({ classes }: ScalingPolicy): MeanGoal {
  const bounds = classes.flatMap(({ serviceLevel }) =>
    serviceLevel.kind === 'interactive' ? [serviceLevel] : [],
  )
  const least = (seconds: readonly (number | undefined)[]): number =>
    1000 * Math.min(...seconds.map((bound) => bound ?? Number.POSITIVE_INFINITY))
  return {
    ttft: least(bounds.map(({ ttft }) => ttft?.seconds)),
    itl: least(bounds.flatMap(({ itl, tpot }) => [itl?.seconds, tpot?.seconds])),
  }
}

/** Requests per second of one replica; where even an idle one breaks the goal, what one sequence at a time gives. */
export function profiledCapacity(variant: Variant, lengths: MeanLengths, goal: MeanGoal): number {
  const law = stepLaw(variant, lengths)
  if (variant.role === 'prefill') return 1000 / law.alone
  const most = Math.max(1, law.slots)
  const keeps = (n: number): boolean =>
    law.step(n) <= goal.itl && (variant.role === 'decode' || law.step(n) + law.prompt <= goal.ttft)
  let low = 1
  let high = most
  if (keeps(most)) low = most
  else
    for (let i = 0; i < 40; i++) {
      const middle = (low + high) / 2
      if (keeps(middle)) low = middle
      else high = middle
    }
  return (1000 * low) / (law.steps * law.step(low))
}

interface StepLaw {
  /** TTFT of a prompt on an idle engine. */
  readonly alone: number
  /** B, ms. */
  readonly prompt: number
  /** Decode steps per request. */
  readonly steps: number
  /** Sequences that run at once. */
  readonly slots: number
  /** Mean step with n sequences running. */
  readonly step: (n: number) => number
}

function stepLaw(variant: Variant, { promptTokens, outputTokens }: MeanLengths): StepLaw {
  const { profile, role } = variant
  const { maxNumSeqs, maxNumBatchedTokens, kvTokens } = limitsOf(variant, undefined)
  const context = promptTokens + outputTokens / 2
  const steps = Math.max(1, outputTokens)
  const prompt = promptWork(profile, { tokens: promptTokens, cachedTokens: 0 }, maxNumBatchedTokens)
  const surcharge = prefillSurcharge(profile, 0, 1)
  const perStep = role === 'decode' ? 0 : prompt
  return {
    alone: profile.a + surcharge + prompt,
    prompt,
    steps,
    slots: Math.min(maxNumSeqs, kvTokens / context),
    step: (n) =>
      decodeStep(profile, n, n * context) +
      Math.min(1, n / steps) * (role === 'decode' ? 0 : surcharge) +
      (n / steps) * perStep,
  }
}
