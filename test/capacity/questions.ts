// Questions for the capacity model: one to vary by hand, and generators of plausible and of wild ones.
import fc from 'fast-check'
import type { Capacity, CapacityQuestion, LengthBin } from '../../src/core/capacity/question.ts'
import { llama8b } from './engines.ts'
import { workloads } from './workloads.ts'

/** Llama-8B under chat of 512/128 tokens: TTFT p95 within 500 ms, ITL p95 within 50 ms. */
export const chat: CapacityQuestion = {
  role: 'unified',
  ...llama8b,
  shape: workloads.exp512x128,
  goal: {
    kind: 'interactive',
    ttft: { percentile: 0.95, seconds: 0.5 },
    itl: { percentile: 0.95, seconds: 0.05 },
  },
  replicas: 1,
  dispersion: 1,
  sloMargin: 0.95,
  maxLoad: 0.9,
}

/** 0 where the goal cannot be met. */
export function rate(capacity: Capacity): number {
  return capacity.kind === 'feasible' ? capacity.requestsPerSecond : 0
}

/** Evenly over the logarithms: fast-check's own doubles crowd around 0. */
const between = (low: number, high: number): fc.Arbitrary<number> =>
  fc
    .integer({ min: 0, max: 1000 })
    .map((part) => Math.exp(Math.log(low) + (part / 1000) * (Math.log(high) - Math.log(low))))

function bins(longest: number, tokens: fc.Arbitrary<number>): fc.Arbitrary<readonly LengthBin[]> {
  return fc
    .array(fc.record({ tokens, weight: between(0.1, 10) }), { minLength: 1, maxLength: longest })
    .map((drawn) => {
      const total = drawn.reduce((sum, bin) => sum + bin.weight, 0)
      return drawn.map((bin) => ({ tokens: Math.max(1, bin.tokens), weight: bin.weight / total }))
    })
}

function questions(
  number: (low: number, high: number) => fc.Arbitrary<number>,
): fc.Arbitrary<CapacityQuestion> {
  const bound = (low: number, high: number) =>
    fc.record({ percentile: fc.constantFrom(0.5, 0.9, 0.95, 0.99), seconds: number(low, high) })
  return fc.record({
    role: fc.constantFrom('unified', 'prefill', 'decode'),
    profile: fc.record(
      {
        name: fc.constant('drawn'),
        quality: fc.constant('stated'),
        source: fc.constant('drawn'),
        a: number(2, 30),
        b: number(0.005, 0.2),
        c: number(1e-6, 5e-4),
        ap: number(2, 40),
        bp: number(0.005, 0.5),
        d2: fc.oneof(fc.constant(0), number(1e-8, 5e-6)),
        g: fc.oneof(fc.constant(0), number(0.001, 0.05)),
        h: fc.oneof(fc.constant(0), number(1, 40)),
        mixtureOfExperts: fc.record({
          x: number(1, 30),
          kappa: between(0.01, 0.3),
        }),
      },
      { requiredKeys: ['name', 'quality', 'source', 'a', 'b', 'c', 'ap', 'bp', 'd2', 'g', 'h'] },
    ),
    limits: fc.record({
      maxNumSeqs: number(1, 1024).map(Math.ceil),
      maxNumBatchedTokens: number(256, 16384).map(Math.ceil),
      kvTokens: number(10_000, 1e6).map(Math.ceil),
    }),
    shape: fc.record({
      promptTokens: bins(6, number(1, 20_000)),
      outputTokens: bins(6, number(1, 4000)),
      prefixHitRate: fc.oneof(fc.constant(0), between(0.05, 1)),
    }),
    goal: fc.oneof(
      fc.constant({ kind: 'throughput' as const }),
      fc.record(
        {
          kind: fc.constant('interactive' as const),
          ttft: bound(0.1, 10),
          itl: bound(0.02, 1),
          tpot: bound(0.02, 0.5),
        },
        { requiredKeys: ['kind'] },
      ),
    ),
    replicas: fc.integer({ min: 1, max: 64 }),
    dispersion: number(0.1, 20),
    sloMargin: between(0.7, 1),
    maxLoad: between(0.5, 1),
  })
}

/** Engines, lengths and SLOs such as there are. */
export const plausibleQuestions = questions(between)

/** Any finite numbers: mostly allowed ones of every size, now and then of any sign. */
export const wildQuestions = questions(() =>
  fc.oneof(
    { weight: 100, arbitrary: between(1e-6, 1e6) },
    { weight: 20, arbitrary: between(1e-300, 1e12) },
    { weight: 1, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
  ),
)
