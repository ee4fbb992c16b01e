// The busiest instant of a backtest, for the what-ifs and prices of its report: they are plans at one instant, and a
// review asks about the one that decides how many GPUs there have to be.
import type { Observation } from '../core/observation.ts'
import { isMissing } from '../core/reading.ts'
import type { Controller } from './controller.ts'

export interface Watched {
  readonly controller: Controller
  /** Undefined before the first step. */
  readonly busiest: () => Observation | undefined
}

/** Remembers one observation: that of the most output tokens per second, the first of equals. */
export function watched(controller: Controller): Watched {
  let most = -1
  let busiest: Observation | undefined
  return {
    controller: {
      ...controller,
      step: (observation) => {
        const tokens = outputTokensPerSecond(observation)
        if (tokens > most) {
          most = tokens
          busiest = observation
        }
        return controller.step(observation)
      },
    },
    busiest: () => busiest,
  }
}

/** Of what can be seen. */
function outputTokensPerSecond({ variants }: Observation): number {
  return Object.values(variants).reduce(
    (sum, { generationTokensPerSecond: each }) => (isMissing(each) ? sum : sum + each),
    0,
  )
}
