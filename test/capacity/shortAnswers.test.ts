// Answers of a token or two: most of their time is what arrives during their first step. Against the simulated replica.
import { describe, expect, it } from 'vitest'
import { dispersionOf, replicaModel } from '../../src/core/capacity/capacity.ts'
import { workload } from '../../src/core/capacity/lengths.ts'
import { cdf } from '../../src/core/capacity/mixture.ts'
import type { Shape } from '../../src/core/capacity/question.ts'
import type { DrawLengths } from '../../src/simulation/lengths.ts'
import type { Random } from '../../src/simulation/random.ts'
import { timePerOutputToken } from '../../src/simulation/request.ts'
import { runReplica, settingsOf } from '../simulation/runReplica.ts'
import { llama8b } from './engines.ts'
import { poisson } from './poisson.ts'
import { chat } from './questions.ts'

/** One in two answers has a single gap or none; prompts are long enough for one to fill 50 ms. */
const shape: Shape = {
  promptTokens: [
    { tokens: 600, weight: 0.5 },
    { tokens: 1500, weight: 0.3 },
    { tokens: 3000, weight: 0.2 },
  ],
  outputTokens: [
    { tokens: 1.4, weight: 0.3 },
    { tokens: 2.5, weight: 0.3 },
    { tokens: 120, weight: 0.4 },
  ],
  prefixHitRate: 0,
}
const { profile, limits } = llama8b
const lateMs = 50

describe('answers of few tokens', () => {
  it('are taken in whole gaps: a bin of 1.4 tokens is six answers of one token and four of two', () => {
    const { answers, dec } = workload(profile, limits, shape)
    const whole = [
      { value: 0, weight: 0.3 * 0.6 },
      { value: 1, weight: 0.3 * 0.4 + 0.3 * 0.5 },
      { value: 2, weight: 0.3 * 0.5 },
      { value: 119, weight: 0.4 },
    ]
    for (const { value, weight } of whole) {
      const found = answers.filter((one) => one.value === value).reduce((sum, one) => sum + one.weight, 0)
      expect(found).toBeCloseTo(weight, 9)
    }
    expect(dec).toBeCloseTo(0.3 * 0.4 + 0.3 * 1.5 + 0.4 * 119, 9)
  })

  it.each([
    0.3, 0.5, 0.7, 0.8,
  ])('are late as often as in the simulation at a load of %s, within a tenth and a tenth of a per cent', (load) => {
    const work = workload(profile, limits, shape)
    const model = replicaModel({ ...chat, profile, limits }, work)
    const requestsPerSecond = load * model.lmax * 1000
    const predicted = model.at(requestsPerSecond / 1000, dispersionOf(1, 1))?.mixture('tpot')
    if (predicted === undefined) throw new Error('saturated')
    const run = runReplica(settingsOf(profile, limits), poisson(requestsPerSecond, lengths, 150_000, 5))
    const gaps = run.completions.filter(({ outputTokens }) => outputTokens > 1).map(timePerOutputToken)
    const simulated = gaps.filter((seconds) => seconds * 1000 > lateMs).length / gaps.length
    const late = 1 - cdf(predicted, lateMs)
    expect(Math.abs(late - simulated), `${late} against ${simulated}`).toBeLessThan(0.001 + 0.1 * simulated)
  })
})

const lengths: DrawLengths = (random) => {
  const tokens = drawn(shape.outputTokens, random)
  const whole = Math.floor(tokens)
  return {
    promptTokens: drawn(shape.promptTokens, random),
    outputTokens: whole + (random.uniform() < tokens - whole ? 1 : 0),
  }
}

function drawn(bins: Shape['promptTokens'], random: Random): number {
  let left = random.uniform()
  for (const { tokens, weight } of bins) {
    left -= weight
    if (left < 0) return tokens
  }
  return bins.at(-1)?.tokens ?? 1
}
