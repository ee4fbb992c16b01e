// The median engine of a variant: what most of its pods say, whatever one of them says.
import { describe, expect, it } from 'vitest'
import { isMissing } from '../../src/core/reading.ts'
import { owner, policySet } from './policies.ts'
import { observed, type Pod, played, signalsOf } from './stage.ts'

const honest = (name: string): Pod => ({
  pod: `llama-5d4f8c7b9d-${name}`,
  state: (t) => ({ finished: 4 * t }),
})
const policies = policySet({ variants: [owner('h100', 'llama')] })

describe('the median engine', () => {
  it('is that of the pods that agree, where a third one reports twenty times their latency', () => {
    const liar: Pod = { pod: 'llama-5d4f8c7b9d-bcdfg', state: (t) => ({ finished: 4 * t, itlSeconds: 0.4 }) }
    const signals = signalsOf(
      observed(played([honest('x2x4z'), honest('x2x4w'), liar]), policies),
      'chat/llama/h100',
    )
    const { typicalEngine: typical, itl } = signals
    if (typical === undefined || isMissing(typical) || isMissing(itl)) throw new Error('nothing was seen')
    // 4 requests/s of 200 tokens each, 20 ms apart, on each pod; the mean over pods is eight times as long.
    expect(typical.gapsPerSecond).toBeCloseTo(800, 6)
    expect(typical.gapSecondsPerSecond).toBeCloseTo(16, 6)
    expect(itl.sumPerSecond / 3).toBeGreaterThan(7 * typical.gapSecondsPerSecond)
  })

  it('is halfway between two', () => {
    const busier: Pod = { pod: 'llama-5d4f8c7b9d-bcdfg', state: (t) => ({ finished: 8 * t }) }
    const { typicalEngine: typical } = signalsOf(
      observed(played([honest('x2x4z'), busier]), policies),
      'chat/llama/h100',
    )
    expect(typical).toMatchObject({ gapsPerSecond: expect.closeTo(1200, 6) })
  })
})
