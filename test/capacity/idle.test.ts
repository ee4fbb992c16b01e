import { describe, expect, it } from 'vitest'
import { idleLatency } from '../../src/core/capacity/idle.ts'
import { llama8b, llama70b, qwen14b } from './engines.ts'

describe('latency of an idle replica', () => {
  // Modelling notes, section 6, "exact unit checks": closed form equals the iteration-level simulator.
  it.each([
    ['llama-8b', llama8b.profile, 16.476, 6.627],
    ['qwen-14b', qwen14b.profile, 28.222, 9.95],
    ['llama-70b TP4', llama70b.profile, 45.686, 10.122],
  ])('is the closed form for a 512-token prompt on %s', (_, profile, ttft, secondToken) => {
    const idle = idleLatency({ profile, promptTokens: 512 })
    expect(idle.ttftSeconds * 1000).toBeCloseTo(ttft, 3)
    expect(idle.itlSeconds * 1000).toBeCloseTo(secondToken, 3)
  })

  it('adds the constant of the site to the first token only', () => {
    const near = idleLatency({ profile: llama8b.profile, promptTokens: 512 })
    const far = idleLatency({ profile: { ...llama8b.profile, h: 20 }, promptTokens: 512 })
    expect(far.ttftSeconds - near.ttftSeconds).toBeCloseTo(0.02, 12)
    expect(far.itlSeconds).toBe(near.itlSeconds)
  })

  it('pays the base of a step again for each further chunk of a prompt', () => {
    const whole = idleLatency({ profile: llama70b.profile, promptTokens: 8000 })
    const chunked = idleLatency({
      profile: llama70b.profile,
      promptTokens: 8000,
      maxNumBatchedTokens: 2048,
    })
    expect(chunked.ttftSeconds - whole.ttftSeconds).toBeCloseTo((3 * llama70b.profile.ap) / 1000, 12)
  })

  it('touches experts with the prompt in the first token and with one token after it', () => {
    const mixtureOfExperts = { x: 10, kappa: 0.03 }
    const dense = idleLatency({ profile: llama8b.profile, promptTokens: 512 })
    const sparse = idleLatency({ profile: { ...llama8b.profile, mixtureOfExperts }, promptTokens: 512 })
    expect((sparse.ttftSeconds - dense.ttftSeconds) * 1000).toBeCloseTo(10, 4)
    expect((sparse.itlSeconds - dense.itlSeconds) * 1000).toBeCloseTo(0.3, 9)
  })
})
