// Made-up traffic, as rate windows of a minute: a constant rate, a day's wave, steps, spikes. For what-ifs, and for
// commands that must run without a file.
import { diurnalRate, type RateCurve, spikeRate } from '../../simulation/arrivals.ts'
import { lengthPoints } from './lengthPoints.ts'
import type { TrafficSource } from './traffic.ts'

export interface Synthetic {
  readonly kind: SyntheticKind
  /** Requests per second: of the constant rate, of the wave's mean, of the first step, below the spikes. */
  readonly rate: number
  /** 0..1: how far a wave goes below and above its mean. */
  readonly swing: number
  readonly periodSeconds: number
  /** Rate of the highest step, and of a spike's top. */
  readonly peak: number
  /** Steps from `rate` to `peak`, spread evenly; spikes, likewise. */
  readonly count: number
  readonly untilSeconds: number
  readonly promptTokens: number
  readonly outputTokens: number
  /** Of the time between arrivals: 1 is Poisson, 3 is bursty. */
  readonly cv: number
}

export type SyntheticKind = 'constant' | 'diurnal' | 'steps' | 'spikes'
export const syntheticKinds: readonly SyntheticKind[] = ['constant', 'diurnal', 'steps', 'spikes']

const windowSeconds = 60

export function syntheticSource(synthetic: Synthetic): TrafficSource {
  const rate = curveOf(synthetic)
  const promptTokens = lengthPoints({ mean: synthetic.promptTokens })
  const outputTokens = lengthPoints({ mean: synthetic.outputTokens })
  return {
    kind: 'rates',
    inside: 'step',
    windows: Array.from({ length: Math.ceil(synthetic.untilSeconds / windowSeconds) }, (_, index) => ({
      fromSeconds: index * windowSeconds,
      untilSeconds: (index + 1) * windowSeconds,
      requestsPerSecond: rate((index + 0.5) * windowSeconds),
      promptTokens,
      outputTokens,
      cv: synthetic.cv,
    })),
  }
}

function curveOf({ kind, rate, swing, periodSeconds, peak, count, untilSeconds }: Synthetic): RateCurve {
  switch (kind) {
    case 'constant':
      return () => rate
    case 'diurnal':
      return diurnalRate({ mean: rate, swing, periodSeconds })
    case 'steps':
      return (at) => {
        const step = Math.min(count, Math.floor((at / untilSeconds) * (count + 1)))
        return rate + ((peak - rate) * step) / Math.max(1, count)
      }
    case 'spikes': {
      const between = untilSeconds / (count + 1)
      const lasting = between / 4
      const spikes = Array.from({ length: count }, (_, index) =>
        spikeRate({
          fromSeconds: between * (index + 1) - lasting / 2,
          untilSeconds: between * (index + 1) + lasting / 2,
          rampSeconds: lasting / 10,
          requestsPerSecond: peak - rate,
        }),
      )
      return (at) => spikes.reduce((sum, spike) => sum + spike(at), rate)
    }
  }
}
