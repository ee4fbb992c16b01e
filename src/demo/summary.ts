// What is left of the demo when it is over: the figures that `--output json` prints.
import type { StaticFleet } from './staticFleet.ts'
import type { Service } from './watch.ts'

export interface Summary {
  readonly seed: number
  readonly simulatedSeconds: number
  readonly requests: number
  readonly peakRequestsPerSecond: number
  readonly service: Service
  /** Dollars. */
  readonly cost: number
  readonly decisions: number
  readonly scaleEvents: number
  readonly failedCalls: number
  /** Sized for the peak and left alone. */
  readonly peakFleet: StaticFleet
}
