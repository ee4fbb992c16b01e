// The oracle of replica.test.ts: the same engine with everything spelled out per sequence and per token,
// O(n) per iteration. It shares no bookkeeping with the replica, only the order in which vLLM schedules.
import type { Profile } from '../../src/core/profile.ts'
import type { Request } from '../../src/simulation/request.ts'

interface Live {
  readonly request: Request
  readonly order: number
  generated: number
  prefilled: number
  prefillTokens: number
  lastTokenAt: number
}

export interface NaiveResult {
  readonly ttftSeconds: number[]
  /** Every gap between two tokens of one request. */
  readonly gapSeconds: number[]
  readonly finishedAtSeconds: number[]
  preemptions: number
}

export function runNaively(
  profile: Profile,
  limits: { maxNumSeqs: number; maxNumBatchedTokens: number; kvTokens: number },
  requests: readonly Request[],
): NaiveResult {
  const result: NaiveResult = {
    ttftSeconds: requests.map(() => Number.NaN),
    gapSeconds: [],
    finishedAtSeconds: requests.map(() => Number.NaN),
    preemptions: 0,
  }
  const waiting: Live[] = []
  let running: Live[] = []
  let next = 0
  let now = 0
  for (;;) {
    while (next < requests.length && (requests[next] as Request).arrivedAtSeconds <= now) {
      const request = requests[next] as Request
      waiting.push({
        request,
        order: next,
        generated: 0,
        prefilled: 0,
        prefillTokens: request.promptTokens,
        lastTokenAt: 0,
      })
      next++
    }
    if (running.length === 0 && waiting.length === 0) {
      const arriving = requests[next]
      if (arriving === undefined) return result
      now = arriving.arrivedAtSeconds
      continue
    }

    const held = (live: Live): number =>
      Math.max(live.prefillTokens, live.request.promptTokens + live.generated - 1)
    const total = (lives: readonly Live[]): number => lives.reduce((sum, live) => sum + held(live), 0)
    let preempted = false
    while (total(running) + running.filter(decoding).length > limits.kvTokens) {
      const newest = running.pop() as Live
      newest.prefilled = 0
      newest.prefillTokens = newest.request.promptTokens + newest.generated
      waiting.unshift(newest)
      result.preemptions++
      preempted = true
    }

    const decodes = running.filter(decoding)
    let kv = 0
    for (const live of decodes) kv += held(live) + 1
    let budget = limits.maxNumBatchedTokens - decodes.length
    let promptTokens = 0
    let promptCost = 0
    const prefill = (live: Live): void => {
      for (; live.prefilled < live.prefillTokens && budget > 0; budget--) {
        live.prefilled++
        promptTokens++
        promptCost += profile.bp + (profile.d2 > 0 ? profile.d2 * (2 * live.prefilled - 1) : profile.c / 2)
      }
    }
    for (const live of running) if (!decoding(live)) prefill(live)
    while (!preempted && budget > 0 && running.length < limits.maxNumSeqs && waiting.length > 0) {
      const head = waiting[0] as Live
      if (total(running) + decodes.length + head.prefillTokens > limits.kvTokens) break
      waiting.shift()
      running.push(head)
      prefill(head)
    }

    let milliseconds = profile.a + profile.b * decodes.length + profile.c * kv
    if (promptTokens > 0) milliseconds += profile.ap - profile.a + profile.g * decodes.length + promptCost
    if (profile.mixtureOfExperts !== undefined) {
      const { x, kappa } = profile.mixtureOfExperts
      milliseconds += x * (1 - (1 - kappa) ** (decodes.length + promptTokens))
    }
    now += milliseconds / 1000

    for (const live of running) {
      const produced = decodes.includes(live) || live.prefilled === live.prefillTokens
      if (!produced) continue
      if (live.generated === 0) result.ttftSeconds[live.order] = now - live.request.arrivedAtSeconds
      else result.gapSeconds.push(now - live.lastTokenAt)
      live.generated++
      live.lastTokenAt = now
      if (live.generated === live.request.outputTokens) result.finishedAtSeconds[live.order] = now
    }
    running = running.filter((live) => live.generated < live.request.outputTokens)
  }
}

/** Its prompt (and, after a preemption, what it had generated) is in the cache. */
function decoding(live: Live): boolean {
  return live.prefilled === live.prefillTokens
}
