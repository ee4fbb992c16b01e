import { describe, expect, it } from 'vitest'
import { workload } from '../../src/core/capacity/lengths.ts'
import { unifiedSaturation } from '../../src/core/capacity/unified.ts'
import type { Profile } from '../../src/core/profile.ts'
import { type Fit, fitLaw } from '../../src/core/profiles/fit.ts'
import { errorsOf } from '../../src/core/profiles/fitErrors.ts'
import {
  type DecodePoint,
  decodeSteps,
  fixedLength,
  gapOf,
  type LawCoefficients,
  type Lengths,
  type Load,
  meanContext,
  type PrefillPoint,
  type Run,
  type Sample,
  type Setup,
  ttftOf,
} from '../../src/core/profiles/measurement.ts'
import { runLatency } from '../../src/core/profiles/runLatency.ts'
import { constantRate, renewalArrivals } from '../../src/simulation/arrivals.ts'
import type { DrawLengths } from '../../src/simulation/lengths.ts'
import type { Request } from '../../src/simulation/request.ts'
import { profileOf, runReplica, settingsOf } from '../simulation/runReplica.ts'

const setup: Setup = { model: 'org/m-8b', gpu: 'h100', tp: 1, engine: 'test' }
const truth = profileOf({ a: 6.4, b: 0.028, c: 5e-5, ap: 6.4, bp: 0.02, d2: 7e-7, h: 8 })

function runOf(load: Load, prompt: Lengths, output: Lengths, more: Partial<Run> = {}): Run {
  return {
    origin: { file: 'test', row: 1 },
    setup,
    load,
    promptTokens: prompt,
    outputTokens: output,
    ...more,
  }
}

function samples(runs: readonly Run[]): Sample[] {
  return runs.map((run) => ({ kind: 'run', run }))
}

function fitted(result: ReturnType<typeof fitLaw>): Fit {
  if (result.kind === 'tooLittle') throw new Error(result.why)
  return result
}

/** The recipe's runs, measured on the simulated engine as a client would: Poisson, lengths half up and down. */
function measured(profile: Profile, prompt: number, output: number, seed: number): Run[] {
  const settings = settingsOf(profile, { kvTokens: 420_000 })
  const draw: DrawLengths = (random) => ({
    promptTokens: Math.round(prompt * (0.5 + random.uniform())),
    outputTokens: Math.round(output * (0.5 + random.uniform())),
  })
  const drawn = (count: number, rate: number): Request[] => {
    const traffic = {
      rate: constantRate(rate),
      lengths: draw,
      seed,
      cv: 1,
      classIndex: 0,
      fromSeconds: 0,
      untilSeconds: 1e9,
    }
    const requests: Request[] = []
    for (const request of renewalArrivals(traffic)) if (requests.push(request) === count) break
    return requests
  }
  const observe = (load: Load, requests: readonly Request[]): Run => {
    const { completions } = runReplica(settings, requests)
    const mean = (of: (each: (typeof completions)[number]) => number): number =>
      completions.reduce((sum, each) => sum + of(each), 0) / completions.length
    const moments = (of: (each: (typeof completions)[number]) => number): Lengths => ({
      mean: mean(of),
      meanSquare: mean((each) => of(each) ** 2),
    })
    const end = Math.max(...completions.map(({ finishedAtSeconds }) => finishedAtSeconds))
    const late = profile.h / 1000
    return runOf(
      load,
      moments(({ request }) => request.promptTokens),
      moments(({ outputTokens }) => outputTokens),
      {
        ttftMs:
          1000 *
          (mean(({ firstTokenAtSeconds, submittedAtSeconds }) => firstTokenAtSeconds - submittedAtSeconds) +
            late),
        e2eMs:
          1000 *
          (mean(({ finishedAtSeconds, submittedAtSeconds }) => finishedAtSeconds - submittedAtSeconds) +
            late),
        requests: completions.length,
        ...(load.kind === 'clients' ? {} : { achievedPerSecond: completions.length / end }),
      },
    )
  }
  const burst = observe(
    { kind: 'burst' },
    drawn(1024, 1).map((request) => ({ ...request, arrivedAtSeconds: 0 })),
  )
  const rate = burst.achievedPerSecond ?? 0
  const alone = drawn(20, 1).map((request, i) => ({ ...request, arrivedAtSeconds: 1000 * i }))
  return [
    burst,
    observe({ kind: 'clients', clients: 1 }, alone),
    ...[0.5, 0.85].map((share) => {
      const requestsPerSecond = share * rate
      return observe({ kind: 'rate', requestsPerSecond, arrivals: 'poisson' }, drawn(2000, requestsPerSecond))
    }),
  ]
}

function saturation(law: LawCoefficients, prompt: number, output: number): number {
  const limits = { maxNumSeqs: 256, maxNumBatchedTokens: 8192, kvTokens: 420_000 }
  const uniform = (mean: number) =>
    [0.6, 0.8, 1, 1.2, 1.4].map((share) => ({ tokens: share * mean, weight: 0.2 }))
  const shape = { promptTokens: uniform(prompt), outputTokens: uniform(output), prefixHitRate: 0 }
  const profile = { ...profileOf({}), ...law }
  return 1000 * unifiedSaturation(profile, workload(profile, limits, shape), limits.maxNumBatchedTokens)
}

const recipe = [
  ...measured(truth, 64, 256, 1),
  ...measured(truth, 1024, 1024, 2),
  ...measured(truth, 4096, 64, 3),
  ...measured(truth, 256, 1024, 4),
]

describe('a fit of the recipe’s sixteen runs', () => {
  const fit = fitted(fitLaw(samples(recipe), 0))

  it('finds what the simulated engine is made of', () => {
    const { a, b, c, bp, h } = fit.law
    expect(a / truth.a).toBeCloseTo(1, 1)
    expect(h / truth.h).toBeGreaterThan(0.8)
    expect(h / truth.h).toBeLessThan(1.2)
    // A prompt of 2,000 tokens, and 100 sequences of 1,000: single slopes share what the shapes do not tell apart.
    expect((2000 * bp + 4e6 * fit.law.d2) / (2000 * truth.bp + 4e6 * truth.d2)).toBeCloseTo(1, 1)
    expect((100 * b + 1e5 * c) / (100 * truth.b + 1e5 * truth.c)).toBeCloseTo(1, 1)
  })

  it('predicts shapes that it has not seen within 8 %: saturation, and the gap between tokens at 60 % of it', () => {
    for (const [prompt, output] of [
      [512, 128],
      [128, 512],
      [2048, 256],
    ] as const) {
      const top = saturation(truth, prompt, output)
      expect(Math.abs(saturation(fit.law, prompt, output) / top - 1)).toBeLessThan(0.08)
      const [, , half] = measured(truth, prompt, output, 5)
      if (half === undefined) throw new Error('no run')
      const predicted = runLatency(fit.law, half)
      expect(predicted.kind === 'stable' && Math.abs(predicted.gapMs / (gapOf(half) ?? 0) - 1)).toBeLessThan(
        0.08,
      )
      expect(
        predicted.kind === 'stable' && Math.abs(predicted.ttftMs / (ttftOf(half) ?? 0) - 1),
      ).toBeLessThan(0.15)
    }
  })

  it('states errors, a worst point and how the saturation holds', () => {
    expect(fit.heldOut?.leftOut).toBe('shape')
    expect(fit.quality).toBe('good')
    expect(fit.heldOut?.gap.p90).toBeLessThan(0.1)
    expect(fit.inSample.gap.worst?.metric).toBe('itl')
    expect(fit.inSample.saturation.misses).toHaveLength(4)
    expect(Math.max(...fit.inSample.saturation.misses)).toBeLessThan(0.1)
    expect(fit.caveats).toEqual([])
  })
})

/** Closed-loop runs that follow the equations exactly. */
function closedLoop(law: LawCoefficients, shapes: readonly (readonly [number, number])[]): Run[] {
  return shapes.flatMap(([prompt, output]) =>
    [1, 4, 16, 64, 128].map((clients) => {
      const run = runOf({ kind: 'clients', clients }, fixedLength(prompt), fixedLength(output))
      const latency = runLatency(law, run)
      if (latency.kind === 'saturated') throw new Error(`${clients} clients saturate`)
      return { ...run, itlMs: latency.gapMs, ttftMs: latency.ttftMs }
    }),
  )
}

describe('a fit of closed loops', () => {
  it('recovers a dense law exactly where the runs follow it', () => {
    const law: LawCoefficients = { a: 9, b: 0.05, c: 3e-5, ap: 9, bp: 0.045, d2: 0, g: 0, h: 20 }
    const runs = closedLoop(law, [
      [1024, 1024],
      [1024, 8192],
      [8192, 1024],
    ])
    const found = fitted(fitLaw(samples(runs), 0))
    for (const name of ['a', 'b', 'c', 'bp', 'h'] as const)
      expect(found.law[name] / law[name]).toBeCloseTo(1, 4)
    expect(found.quality).toBe('good')
  })

  it('hardly moves when one row of fifteen is twice too slow', () => {
    const law: LawCoefficients = { a: 9, b: 0.05, c: 3e-5, ap: 9, bp: 0.045, d2: 0, g: 0, h: 20 }
    const runs = closedLoop(law, [
      [1024, 1024],
      [1024, 8192],
      [8192, 1024],
    ]).map((run, i) => ({ ...run, itlMs: (run.itlMs ?? 0) * (1 + 0.02 * Math.sin(5 * i)) }))
    const spoiled = runs.map((run, i) => (i === 8 ? { ...run, itlMs: 2 * run.itlMs } : run))
    const found = fitted(fitLaw(samples(spoiled), 0))
    expect(Math.abs(saturation(found.law, 512, 128) / saturation(law, 512, 128) - 1)).toBeLessThan(0.1)
    expect(found.inSample.gap.worst?.sample).toEqual({ kind: 'run', run: spoiled[8] })
  })

  it('recovers the term of a mixture of experts, with its share of the experts given', () => {
    const mixtureOfExperts = { x: 9.5, kappa: 1 / 32 }
    const law: LawCoefficients = {
      a: 3.6,
      b: 0.02,
      c: 1e-6,
      ap: 3.6,
      bp: 0.027,
      d2: 0,
      g: 0,
      h: 5,
      mixtureOfExperts,
    }
    const runs = closedLoop(law, [
      [1024, 1024],
      [1024, 8192],
      [8192, 1024],
    ])
    const found = fitted(fitLaw(samples(runs), 1 / 32))
    expect((found.law.mixtureOfExperts?.x ?? 0) / 9.5).toBeCloseTo(1, 3)
    expect(found.law.a / 3.6).toBeCloseTo(1, 3)
    expect(fitted(fitLaw(samples(runs), 0)).inSample.gap.p90).toBeGreaterThan(0.02)
  })

  it('says that one shape does not tell coefficients apart, and calls it poor however well it fits', () => {
    const law: LawCoefficients = { a: 9, b: 0.05, c: 3e-5, ap: 9, bp: 0.045, d2: 0, g: 0, h: 20 }
    const found = fitted(fitLaw(samples(closedLoop(law, [[1024, 1024]])), 0))
    expect(found.inSample.gap.p90).toBeLessThan(0.01)
    expect(found.heldOut?.leftOut).toBe('load')
    expect(found.quality).toBe('poor')
    expect(found.caveats[0]).toContain('one request shape does not tell b, c and bp apart')
  })

  it('leaves out the term of experts where every row touches all of them', () => {
    const law: LawCoefficients = {
      a: 9,
      b: 0.05,
      c: 1e-6,
      ap: 9,
      bp: 0.02,
      d2: 0,
      g: 0,
      h: 5,
      mixtureOfExperts: { x: 9, kappa: 1 / 32 },
    }
    const runs = [256, 512, 1024].flatMap((clients) => {
      const run = runOf({ kind: 'clients', clients }, fixedLength(512), fixedLength(512))
      const latency = runLatency(law, run)
      return latency.kind === 'stable' ? [{ ...run, itlMs: latency.gapMs, ttftMs: latency.ttftMs }] : []
    })
    expect(fitted(fitLaw(samples(runs), 1 / 32)).law.mixtureOfExperts).toBeUndefined()
  })
})

describe('a fit of sweeps', () => {
  const law = { a: 9, b: 0.05, c: 6e-5, ap: 15.6, bp: 0.035, d2: 4e-7 }
  const prefill = [100, 2000, 4000, 8000, 12000].map((promptTokens, i): PrefillPoint => {
    const ttftMs = law.ap + law.bp * promptTokens + law.d2 * promptTokens ** 2
    return { origin: { file: 'p', row: i }, setup, promptTokens, ttftMs }
  })
  const decode = [350, 4000, 16000].flatMap((contextTokens) =>
    [1, 8, 32].map((sequences, i): DecodePoint => {
      const itlMs = law.a + law.b * sequences + law.c * sequences * contextTokens
      return { origin: { file: 'd', row: i }, setup, contextTokens, sequences, itlMs }
    }),
  )
  const all: Sample[] = [
    ...prefill.map((point): Sample => ({ kind: 'prefill', point })),
    ...decode.map((point): Sample => ({ kind: 'decode', point })),
  ]

  it('recovers decode and prefill, and charges the constant of a prefill to the engine', () => {
    const found = fitted(fitLaw(all, 0))
    for (const name of ['a', 'b', 'c', 'ap', 'bp', 'd2'] as const)
      expect(found.law[name] / law[name]).toBeCloseTo(1, 6)
    expect(found.law.h).toBe(0)
    expect(found.heldOut?.leftOut).toBe('point')
  })

  it('of one kind says which role it is good for', () => {
    const decodeOnly = fitted(
      fitLaw(
        all.filter(({ kind }) => kind === 'decode'),
        0,
      ),
    )
    expect(decodeOnly.caveats).toEqual([
      'no prompts were measured: bp is 0, so use it for decode variants only',
    ])
    const prefillOnly = fitted(
      fitLaw(
        all.filter(({ kind }) => kind === 'prefill'),
        0,
      ),
    )
    expect(prefillOnly.law.ap).toBeCloseTo(law.ap, 6)
    expect(prefillOnly.caveats).toEqual([
      'no decodes were measured: b and c are 0, so use it for prefill variants only',
    ])
  })
})

describe('a fit of whole requests', () => {
  it('finds a law that predicts them where nothing else was measured', () => {
    const law: LawCoefficients = { a: 8, b: 0.05, c: 1e-5, ap: 8, bp: 0.03, d2: 0, g: 0, h: 0 }
    const runs = [16, 64, 256].flatMap((output) =>
      [128, 512, 2048].map((prompt) => {
        const load: Load = {
          kind: 'rate',
          requestsPerSecond: 200 / (output + prompt / 4),
          arrivals: 'poisson',
        }
        const run = runOf(load, fixedLength(prompt), fixedLength(output))
        const latency = runLatency(law, run)
        if (latency.kind === 'saturated') throw new Error('saturated')
        return { ...run, e2eMs: latency.ttftMs + decodeSteps(run) * latency.gapMs }
      }),
    )
    const found = fitted(fitLaw(samples(runs), 0))
    expect(found.points.every(({ metric }) => metric === 'e2e')).toBe(true)
    expect(found.inSample.gap.median).toBeLessThan(0.05)
  })
})

describe('too little to fit', () => {
  it('is said with what is missing', () => {
    expect(fitLaw([], 0)).toEqual({
      kind: 'tooLittle',
      why: 'a fit needs at least 3 usable rows of one set-up: got 0',
    })
    const bursts = [1, 2, 3].map(() => runOf({ kind: 'burst' }, fixedLength(100), fixedLength(100)))
    expect(fitLaw(samples(bursts), 0).kind).toBe('tooLittle')
  })

  it('is said where no row shows a step with little in it', () => {
    const steep = [100, 200, 400].map((clients) =>
      runOf({ kind: 'clients', clients }, fixedLength(64), fixedLength(512), {
        itlMs: clients ** 1.3 / 20,
        ttftMs: clients,
      }),
    )
    const result = fitLaw(samples(steep), 0)
    expect(result.kind === 'tooLittle' && result.why).toContain('do not tell what a step costs by itself')
  })
})

describe('mean latency of a run', () => {
  it('is that of an idle engine for one client, and saturated beyond what any step length carries', () => {
    const alone = runOf({ kind: 'clients', clients: 1 }, fixedLength(500), fixedLength(101))
    const latency = runLatency(truth, alone)
    if (latency.kind === 'saturated') throw new Error('saturated')
    // Its own context and slot, less the share of its stay that it spends on its prompt.
    expect(latency.gapMs).toBeGreaterThan(truth.a)
    expect(latency.gapMs).toBeLessThan(truth.a + truth.b + truth.c * meanContext(alone))
    expect(latency.ttftMs).toBeCloseTo(truth.h + truth.a + 500 * truth.bp + 250_000 * truth.d2, 6)
    const crowd = runOf(
      { kind: 'rate', requestsPerSecond: 500, arrivals: 'poisson' },
      fixedLength(500),
      fixedLength(101),
    )
    expect(runLatency(truth, crowd)).toEqual({ kind: 'saturated' })
    const [missed] = errorsOf({ kind: 'run', run: { ...crowd, itlMs: 10 } }, truth)
    expect(missed?.predictedMs).toBe(Number.POSITIVE_INFINITY)
  })

  it('rises with the load', () => {
    let before = 0
    for (const requestsPerSecond of [1, 5, 10, 20, 30]) {
      const run = runOf(
        { kind: 'rate', requestsPerSecond, arrivals: 'poisson' },
        fixedLength(500),
        fixedLength(101),
      )
      const latency = runLatency(truth, run)
      const gap = latency.kind === 'stable' ? latency.gapMs : Number.POSITIVE_INFINITY
      expect(gap).toBeGreaterThan(before)
      before = gap
    }
  })

  it('counts every gap once, whatever the client counted', () => {
    const run = runOf({ kind: 'burst' }, fixedLength(200), fixedLength(101), {
      itlMs: 4,
      ttftMs: 30,
      e2eMs: 830,
    })
    expect(gapOf(run)).toBe(8)
    expect(gapOf({ ...run, ttftMs: -1e8 })).toBe(4)
    expect(ttftOf({ ...run, ttftMs: -1e8, ttftMedianMs: 29 })).toBe(29)
  })
})
