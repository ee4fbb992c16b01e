// The three engines of the modelling notes: coefficients in ms and tokens, KV in tokens. 8B and 14B on one
// H100; 70B on four, where a step with prefill has its own base and quadratic cost.
import type { ReplicaLimits } from '../../src/core/capacity/question.ts'
import type { Profile } from '../../src/core/profile.ts'

export interface EngineUnderTest {
  readonly profile: Profile
  readonly limits: ReplicaLimits
}

const common = { quality: 'good', source: 'modelling notes', g: 0, h: 0 } as const
const limits = { maxNumSeqs: 256, maxNumBatchedTokens: 8192 } as const

export const llama8b: EngineUnderTest = {
  profile: { ...common, name: 'l8', a: 6.58, b: 0.0193, c: 5.46e-5, ap: 6.58, bp: 0.0193, d2: 0 },
  limits: { ...limits, kvTokens: 400_000 },
}

export const qwen14b: EngineUnderTest = {
  profile: { ...common, name: 'q14', a: 9.87, b: 0.0358, c: 8.63e-5, ap: 9.87, bp: 0.0358, d2: 0 },
  limits: { ...limits, kvTokens: 210_000 },
}

export const llama70b: EngineUnderTest = {
  profile: {
    ...common,
    name: 'l70',
    a: 10.006,
    b: 0.05963,
    c: 0.0001096,
    ap: 21.3,
    bp: 0.04699,
    d2: 1.246e-6,
  },
  limits: { ...limits, kvTokens: 224_133 },
}
