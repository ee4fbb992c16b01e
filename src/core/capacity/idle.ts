// The latency of one request on a replica that does nothing else: the floor under every SLO. A bound below it
// cannot be met by any number of replicas, which is an error of the policy and not of the fleet.
import type { Profile } from '../profile.ts'
import { decodeStep, expertTouch, prefillSurcharge, promptWork } from './iteration.ts'

interface IdleQuestion {
  readonly profile: Profile
  readonly promptTokens: number
  /** Tokens of the answer; absent: the ITL is the gap before its second token. */
  readonly outputTokens?: number
  /** Budget of one step; absent: the whole prompt fits in one. */
  readonly maxNumBatchedTokens?: number
}

interface IdleLatency {
  readonly ttftSeconds: number
  /** Mean gap between tokens. */
  readonly itlSeconds: number
}

export function idleLatency(question: IdleQuestion): IdleLatency {
  const { profile, promptTokens } = question
  const budget = question.maxNumBatchedTokens ?? Number.POSITIVE_INFINITY
  const surcharge = prefillSurcharge(profile, 0, expertTouch(profile, promptTokens))
  const work = promptWork(profile, { tokens: promptTokens, cachedTokens: 0 }, budget)
  const ttft = profile.h + profile.a + surcharge + work
  // The j-th decode of an answer reads the prompt and j tokens; over out - 1 of them that is out / 2 on average.
  const meanContext = promptTokens + Math.max(2, question.outputTokens ?? 2) / 2
  return { ttftSeconds: ttft / 1000, itlSeconds: decodeStep(profile, 1, meanContext) / 1000 }
}
