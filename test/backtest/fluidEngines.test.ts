// What the engines of the fluid plant get through while every slot is taken: the law of a full batch, however long a step.
import { expect, test } from 'vitest'
import { Engines } from '../../src/backtest/fluid/engines.ts'
import { meanSeconds } from '../../src/backtest/fluid/latencyTable.ts'
import { decodeStep } from '../../src/core/capacity/iteration.ts'
import { workload } from '../../src/core/capacity/lengths.ts'
import type { Shape } from '../../src/core/capacity/question.ts'
import { oneVariant, siteFor } from './sites.ts'

const shape: Shape = {
  promptTokens: [{ tokens: 380, weight: 1 }],
  outputTokens: [{ tokens: 89, weight: 1 }],
  prefixHitRate: 0,
}

test.each([
  0.5, 1, 5, 20,
])('serves a full batch at the rate at which it steps: requests stay 3 s, steps of the plant last %s s', (seconds) => {
  const [variant] = siteFor(oneVariant()).variants
  if (variant === undefined) throw new Error('a site has a variant')
  const { profile, maxNumSeqs } = variant
  const { e1, dec, m } = workload(profile, variant, shape)
  // N sequences take dec steps each, stretched by the prompts that enter: lambda dec S / (1 - lambda e1) = N.
  const fullRate = 1000 / (e1 + (dec * decodeStep(profile, maxNumSeqs, maxNumSeqs * m)) / maxNumSeqs)
  const engines = new Engines(variant, 1, [0.5, 0.05])
  let completed = 0
  for (let at = 0; at < 400; at += seconds) {
    const served = engines.step(Float64Array.of(500 * seconds), [{ shape, weight: 1 }], 2, 2, seconds)
    if (at >= 200) completed += served.completed[0] ?? 0
  }
  expect(completed / 200 / 2 / fullRate).toBeGreaterThan(0.98)
  expect(completed / 200 / 2 / fullRate).toBeLessThan(1.02)
})

test.each([
  0.2, 0.5, 0.8,
])('counts gaps that add up to the time its sequences run, however short they are: at %s of saturation', (load) => {
  const [variant] = siteFor(oneVariant()).variants
  if (variant === undefined) throw new Error('a site has a variant')
  const fast = { ...variant, profile: { ...variant.profile, a: 2, ap: 2, b: variant.profile.b / 2 } }
  const { e1, dec, m } = workload(fast.profile, fast, shape)
  const full =
    1000 / (e1 + (dec * decodeStep(fast.profile, fast.maxNumSeqs, fast.maxNumSeqs * m)) / fast.maxNumSeqs)
  const engines = new Engines(fast, 1, [0.5, 0.05])
  let [gapSeconds, sequenceSeconds, gaps] = [0, 0, 0]
  for (let at = 0; at < 200; at++) {
    const served = engines.step(Float64Array.of(2 * load * full), [{ shape, weight: 1 }], 2, 2, 1)
    if (at < 100) continue
    gaps += served.gaps
    gapSeconds += served.gaps * meanSeconds(served.running, 'itl')
    sequenceSeconds += engines.decoding[0] ?? 0
  }
  // Shorter than the first edge of vLLM's histogram at the lower loads.
  if (load < 0.5) expect(gapSeconds / gaps).toBeLessThan(0.01)
  expect(gapSeconds / sequenceSeconds).toBeGreaterThan(0.95)
  expect(gapSeconds / sequenceSeconds).toBeLessThan(1.1)
})
