import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { constantRate, renewalArrivals } from '../../src/simulation/arrivals.ts'
import {
  type DrawLengths,
  exponentialLengths,
  fixedLengths,
  lognormalLengths,
} from '../../src/simulation/lengths.ts'
import { Replica } from '../../src/simulation/replica.ts'
import { type Completion, type Request, timePerOutputToken } from '../../src/simulation/request.ts'
import { runNaively } from './naiveReplica.ts'
import { llama8b, llama70b, profileOf, qwen14b, requestAt, runReplica, settingsOf } from './runReplica.ts'

function poisson(requestsPerSecond: number, count: number, lengths: DrawLengths, seed = 1): Request[] {
  const untilSeconds = count / requestsPerSecond
  const traffic = { rate: constantRate(requestsPerSecond), lengths, seed, cv: 1, classIndex: 0 }
  return [...renewalArrivals({ ...traffic, fromSeconds: 0, untilSeconds })]
}

/** `seconds` is within a share of `milliseconds`. */
function expectWithin(share: number, seconds: number | undefined, milliseconds: number): void {
  expect(Math.abs((1000 * (seconds ?? Number.NaN)) / milliseconds - 1)).toBeLessThan(share)
}

function ttftOf(completion: Completion): number {
  return completion.firstTokenAtSeconds - completion.submittedAtSeconds
}

describe('an idle replica', () => {
  test.each([
    ['Llama 8B', llama8b, 16.476, 6.627],
    ['Qwen 14B', qwen14b, 28.222, 9.95],
    ['Llama 70B', llama70b, 45.686, 10.122],
  ])('%s gives the closed form of first and second token', (_name, profile, ttft, second) => {
    const [completion] = runReplica(settingsOf(profile), [requestAt(3, 512, 2)]).completions
    const { a, b, c, ap, bp, d2 } = profile
    const prompt = ap + bp * 512 + (d2 > 0 ? d2 * 512 ** 2 : (c * 512) / 2)
    expect(1000 * ttftOf(completion as Completion)).toBeCloseTo(prompt, 9)
    expect(1000 * ttftOf(completion as Completion)).toBeCloseTo(ttft, 3)
    expect(1000 * timePerOutputToken(completion as Completion)).toBeCloseTo(a + b + c * 513, 9)
    expect(1000 * timePerOutputToken(completion as Completion)).toBeCloseTo(second, 3)
  })

  test('cuts a prompt longer than the token budget into chunks', () => {
    const settings = settingsOf(llama70b, { maxNumBatchedTokens: 2048 })
    const [completion] = runReplica(settings, [requestAt(0, 5000, 1)]).completions
    const { ap, bp, d2 } = llama70b
    expect(1000 * ttftOf(completion as Completion)).toBeCloseTo(3 * ap + bp * 5000 + d2 * 5000 ** 2, 9)
  })

  test('prefills only what the prefix cache does not hold', () => {
    const [completion] = runReplica(settingsOf(llama70b), [
      { ...requestAt(0, 1000, 1), cachedTokens: 600 },
    ]).completions
    const { ap, bp, d2 } = llama70b
    expect(1000 * ttftOf(completion as Completion)).toBeCloseTo(
      ap + bp * 400 + d2 * (1000 ** 2 - 600 ** 2),
      9,
    )
  })

  test('lets decodes slow a prompt down, and the prompt the decodes, as g and the mixture of experts say', () => {
    const profile = profileOf({ g: 0.5, mixtureOfExperts: { x: 4, kappa: 0.1 } })
    const { completions } = runReplica(settingsOf(profile, { slowGapSeconds: [0.02] }), [
      requestAt(0, 100, 3),
      requestAt(0.001, 1000, 1),
    ])
    const first = completions.find((done) => done.request.promptTokens === 100) as Completion
    const mixed = 5 + 0.02 + 5e-5 * 101 + 0.5 + (0.02 + 2.5e-5) * 1000 + 4 * (1 - 0.9 ** 1001)
    const alone = 5 + 0.02 + 5e-5 * 102 + 4 * 0.1
    expect(1000 * timePerOutputToken(first)).toBeCloseTo((mixed + alone) / 2, 9)
    expect(first.slowGaps).toBe(1)
  })
})

describe('the replica and the naive one that does everything per token', () => {
  const azureLike = lognormalLengths(1150, 210, 0.9)
  test.each([
    ['with ample KV', llama8b, 17, { maxNumSeqs: 256, maxNumBatchedTokens: 8192, kvTokens: 400_000 }],
    [
      'with a small token budget and few slots',
      llama70b,
      7,
      { maxNumSeqs: 64, maxNumBatchedTokens: 512, kvTokens: 400_000 },
    ],
    [
      'with KV so short that it preempts',
      llama8b,
      14,
      { maxNumSeqs: 256, maxNumBatchedTokens: 8192, kvTokens: 30_000 },
    ],
  ])('agree on every latency %s', (name, profile, rate, limits) => {
    const fitting = poisson(rate, 6000, azureLike).filter(
      (r) => r.promptTokens + r.outputTokens <= limits.kvTokens,
    )
    const naive = runNaively(profile, limits, fitting)
    const fast = runReplica(settingsOf(profile, limits), fitting)
    expect(fast.preemptions).toBe(naive.preemptions)
    expect(naive.preemptions > 0).toBe(name.includes('preempts'))
    expect(fast.tokens).toBe(naive.gapSeconds.length + fitting.length)

    const byArrival = fast.completions.toSorted(
      (a, b) => a.request.arrivedAtSeconds - b.request.arrivedAtSeconds,
    )
    let worst = 0
    for (const [i, completion] of byArrival.entries()) {
      worst = Math.max(
        worst,
        Math.abs(ttftOf(completion) - (naive.ttftSeconds[i] ?? Number.NaN)),
        Math.abs(completion.finishedAtSeconds - (naive.finishedAtSeconds[i] ?? Number.NaN)),
      )
    }
    // Times of up to 600 s are sums over 10^5 iterations: double precision leaves 1e-9.
    expect(worst).toBeLessThan(1e-9)
    const mean = naive.gapSeconds.reduce((sum, gap) => sum + gap, 0) / naive.gapSeconds.length
    expect(Math.abs((fast.itl.mean ?? Number.NaN) - mean)).toBeLessThan(1e-9)
  })
})

describe('reference points under Poisson arrivals (published simulation of 2 x 150,000 requests)', () => {
  const exp512x128 = exponentialLengths(509.4, 128.4)
  // TTFT p95, ITL mean, ITL p95 in ms. Over short runs the seed moves TTFT p95 by some 3 %, ITL p95 by 7 %.
  test.each([
    ['l8 fix512x128', llama8b, fixedLengths(512, 128), 15, 400_000, 35.61, 8.82, 17.5],
    ['l8 exp512x128', llama8b, exp512x128, 25, 400_000, 66.82, 11.48, 27.33],
    ['l8 exp512x128', llama8b, exp512x128, 42, 400_000, 112.6, 22.66, 53.96],
    ['q14 exp512x128', qwen14b, exp512x128, 20, 210_000, 158.3, 25.02, 66.62],
    ['l70 exp512x128', llama70b, exp512x128, 12, 224_133, 198.7, 25.73, 76.78],
  ])('%s at a given rate', (_name, profile, lengths, rate, kvTokens, ttft95, itlMean, itl95) => {
    const run = runReplica(settingsOf(profile, { kvTokens }), poisson(rate, 60_000, lengths, 7))
    expectWithin(0.04, run.ttft.quantile(0.95), ttft95)
    expectWithin(0.015, run.itl.mean, itlMean)
    expectWithin(0.07, run.itl.quantile(0.95), itl95)
  })

  test('prefill-only replicas batch prompts: p50 29.7, p95 100 ms at 48.4 req/s', () => {
    const settings = settingsOf(llama8b, { role: 'prefill' })
    const run = runReplica(settings, poisson(48.4, 60_000, exp512x128, 3))
    expectWithin(0.04, run.ttft.quantile(0.5), 29.7)
    expectWithin(0.04, run.ttft.quantile(0.95), 100)
    expect(run.completions.every((completion) => completion.outputTokens === 1)).toBe(true)
  })

  test('decode-only replicas: ITL mean 12.6, p95 14.1 ms at 68.36 req/s', () => {
    const settings = settingsOf(llama8b, { role: 'decode' })
    const run = runReplica(settings, poisson(68.36, 60_000, exp512x128, 3))
    expectWithin(0.04, run.itl.mean, 12.6)
    expectWithin(0.04, run.itl.quantile(0.95), 14.1)
  })
})

describe('whatever arrives', () => {
  const arbitraryRequests = fc.array(
    fc.record({
      arrivedAtSeconds: fc.double({ min: 0, max: 5, noNaN: true }),
      promptTokens: fc.integer({ min: 1, max: 900 }),
      outputTokens: fc.integer({ min: 1, max: 200 }),
      cachedTokens: fc.constant(0),
      classIndex: fc.constant(0),
    }),
    { minLength: 1, maxLength: 60 },
  )
  const arbitrarySettings = fc
    .record({
      maxNumSeqs: fc.integer({ min: 1, max: 40 }),
      maxNumBatchedTokens: fc.integer({ min: 40, max: 2000 }),
      kvTokens: fc.integer({ min: 300, max: 4000 }),
      role: fc.constantFrom('unified' as const, 'prefill' as const, 'decode' as const),
    })
    .map((limits) => settingsOf(llama70b, { ...limits, slowGapSeconds: [0.03] }))

  test('every request ends once, its tokens are counted once, and nothing is left in the cache', () => {
    fc.assert(
      fc.property(arbitraryRequests, arbitrarySettings, (requests, settings) => {
        const ordered = requests.toSorted((a, b) => a.arrivedAtSeconds - b.arrivedAtSeconds)
        const { completions, tokens, replica } = runReplica(settings, ordered)
        expect(new Set(completions.map((completion) => completion.request)).size).toBe(requests.length)
        expect(tokens).toBe(completions.reduce((sum, { outputTokens }) => sum + outputTokens, 0))
        expect(replica.kvUsage).toBe(0)
        expect(replica.inSystem).toBe(0)
        for (const { request, reason, outputTokens, slowGaps } of completions) {
          const room = Math.max(0, settings.kvTokens - request.promptTokens + 1)
          const wanted = settings.role === 'prefill' ? 1 : request.outputTokens
          expect(outputTokens).toBe(Math.min(wanted, room))
          expect(reason).toBe(room === 0 ? 'error' : room < wanted ? 'length' : 'stop')
          expect(slowGaps).toBeGreaterThanOrEqual(0)
          expect(slowGaps).toBeLessThan(Math.max(1, outputTokens))
        }
      }),
      { numRuns: 150 },
    )
  })

  test('it does not matter in how many pieces time passes', () => {
    const requests = poisson(20, 500, lognormalLengths(800, 100, 1), 5)
    const whole = runReplica(settingsOf(llama8b), requests).completions
    const pieces: Completion[] = []
    const quiet = { iteration: () => {}, firstToken: () => {}, preempted: () => {}, resumed: () => {} }
    const replica = new Replica(
      settingsOf(llama8b),
      { ...quiet, finished: (done) => void pieces.push(done) },
      0,
    )
    for (const request of requests) {
      for (let at = request.arrivedAtSeconds - 0.05; at < request.arrivedAtSeconds; at += 0.007)
        replica.advance(at)
      replica.advance(request.arrivedAtSeconds)
      replica.submit(request, request.arrivedAtSeconds)
    }
    replica.advance(Number.MAX_VALUE)
    expect(pieces.map((done) => done.finishedAtSeconds)).toEqual(whole.map((done) => done.finishedAtSeconds))
  })

  test('a crash hands back all that ran and waited, and the replica starts empty', () => {
    const finished: Completion[] = []
    const quiet = { iteration: () => {}, firstToken: () => {}, preempted: () => {}, resumed: () => {} }
    const settings = settingsOf(llama8b, { maxNumSeqs: 10 })
    const replica = new Replica(settings, { ...quiet, finished: (done) => void finished.push(done) }, 0)
    for (let i = 0; i < 30; i++) replica.submit(requestAt(0, 5000, 50 + i), 0)
    replica.advance(0.5)
    expect(replica.running).toBeGreaterThan(0)
    expect(replica.waiting).toBeGreaterThan(0)
    expect(replica.abandon()).toHaveLength(30 - finished.length)
    expect([replica.inSystem, replica.kvUsage]).toEqual([0, 0])
    finished.length = 0
    replica.submit(requestAt(2, 512, 2), 2)
    replica.advance(3)
    expect(1000 * ttftOf(finished[0] as Completion)).toBeCloseTo(16.476, 3)
  })
})
