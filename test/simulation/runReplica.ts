// Runs one replica over requests and keeps what it tells: the harness of the simulator's tests.
import type { Profile } from '../../src/core/profile.ts'
import { Latencies } from '../../src/simulation/latencies.ts'
import { Replica, type ReplicaSettings } from '../../src/simulation/replica.ts'
import type { Completion, Request } from '../../src/simulation/request.ts'

/** Llama-3.1-8B and Llama-70B TP4 on H100 and Qwen-14B, as the published reference points use them. */
export const llama8b: Profile = profileOf({ a: 6.58, b: 0.0193, c: 5.46e-5, ap: 6.58, bp: 0.0193, d2: 0 })
export const qwen14b: Profile = profileOf({ a: 9.87, b: 0.0358, c: 8.63e-5, ap: 9.87, bp: 0.0358, d2: 0 })
export const llama70b: Profile = profileOf({
  a: 10.006,
  b: 0.05963,
  c: 0.0001096,
  ap: 21.3,
  bp: 0.04699,
  d2: 1.246e-6,
})

export function profileOf(coefficients: Partial<Profile>): Profile {
  return {
    name: 'test',
    quality: 'stated',
    source: 'test',
    a: 5,
    b: 0.02,
    c: 5e-5,
    ap: 5,
    bp: 0.02,
    d2: 0,
    g: 0,
    h: 0,
    ...coefficients,
  }
}

export function settingsOf(profile: Profile, overrides: Partial<ReplicaSettings> = {}): ReplicaSettings {
  return {
    profile,
    role: 'unified',
    maxNumSeqs: 256,
    maxNumBatchedTokens: 8192,
    kvTokens: 400_000,
    slowGapSeconds: [],
    ...overrides,
  }
}

export interface Run {
  readonly completions: Completion[]
  readonly ttft: Latencies
  readonly itl: Latencies
  tokens: number
  preemptions: number
  readonly replica: Replica
}

/** Submits the requests at their arrival and runs until all are done. */
export function runReplica(settings: ReplicaSettings, requests: Iterable<Request>): Run {
  const completions: Completion[] = []
  const ttft = new Latencies()
  const itl = new Latencies()
  const counts = { tokens: 0, preemptions: 0 }
  const replica = new Replica(
    settings,
    {
      iteration(decodes, _promptTokens, gapSeconds) {
        counts.tokens += decodes
        if (decodes > 0) itl.add(gapSeconds, decodes)
      },
      firstToken(sequence) {
        counts.tokens++
        ttft.add(sequence.firstTokenAtSeconds - sequence.submittedAtSeconds)
      },
      preempted() {
        counts.preemptions++
      },
      resumed(gapSeconds) {
        counts.tokens++
        itl.add(gapSeconds)
      },
      finished(completion) {
        completions.push(completion)
      },
    },
    0,
  )
  for (const request of requests) {
    replica.advance(request.arrivedAtSeconds)
    replica.submit(request, request.arrivedAtSeconds)
  }
  replica.advance(Number.MAX_VALUE)
  return { completions, ttft, itl, replica, ...counts }
}

export function requestAt(atSeconds: number, promptTokens: number, outputTokens: number): Request {
  return { arrivedAtSeconds: atSeconds, promptTokens, outputTokens, cachedTokens: 0, classIndex: 0 }
}
