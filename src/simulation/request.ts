// What travels through the simulated fleet: a request on its way in, and the record of it on its way out.

export interface Request {
  /** When the client sent it, virtual seconds. */
  readonly arrivedAtSeconds: number
  /** At least 1. */
  readonly promptTokens: number
  /** Of the prompt, found in the prefix cache: they need no prefill. Less than `promptTokens`. */
  readonly cachedTokens: number
  /** At least 1. */
  readonly outputTokens: number
  /** Index of its traffic class in the fleet's list. */
  readonly classIndex: number
}

/** How a request ended, in vLLM's words; `error`: its prompt cannot fit in the KV cache at all. */
export type FinishedReason = 'stop' | 'length' | 'error'

export interface Completion {
  readonly request: Request
  readonly reason: FinishedReason
  /** Tokens produced; fewer than asked for where the KV cache holds no more. */
  readonly outputTokens: number
  /** When the engine received it: the client's arrival plus what it waited at the gateway. */
  readonly submittedAtSeconds: number
  readonly scheduledAtSeconds: number
  readonly firstTokenAtSeconds: number
  readonly finishedAtSeconds: number
  /** Gaps between its tokens that were longer than its class's bound. */
  readonly slowGaps: number
}

/** Mean gap between the tokens of one request, seconds; 0 where there is no gap. */
export function timePerOutputToken(completion: Completion): number {
  if (completion.outputTokens < 2) return 0
  return (completion.finishedAtSeconds - completion.firstTokenAtSeconds) / (completion.outputTokens - 1)
}
