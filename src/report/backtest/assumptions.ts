// What a reader has to believe to believe the report of a backtest: how it was simulated.
import type { ResultSettings } from '../../backtest/result.ts'

/** Sentences without their full stops. */
export function assumptions(settings: ResultSettings): readonly string[] {
  const {
    fidelity,
    seed,
    warmupSeconds,
    tickSeconds,
    stepSeconds,
    startupSeconds,
    startupSigma,
    modelError,
  } = settings
  return [
    fidelity === 'request'
      ? `every request was simulated, iteration by iteration of the engine, with random seed ${seed}`
      : `traffic was simulated as a flow in steps of ${stepSeconds ?? 'unknown'} s, with random seed ${seed}`,
    `the first ${Math.round(warmupSeconds / 60)} min are warm-up: simulated, and neither scored nor shown`,
    `controllers decided every ${tickSeconds} s`,
    `a replica starts in ${startupSeconds === undefined ? 'the time its policy states' : `${startupSeconds} s`} in the median${startupSigma > 0 ? `; the logarithm of start-up times has a standard deviation of ${startupSigma}` : ', always the same'}`,
    modelError === 0
      ? 'the simulated engines are exactly as fast as the profiles say: an error of the profiles is not in these figures'
      : `the simulated engines take ${Number((modelError * 100).toPrecision(3))} % longer per iteration than the profiles say that plans are made with`,
    'prices are those of the policies, per replica and hour, from asking for a replica to its end; a replica that waits for a node costs nothing',
    'requests that had not ended when the simulation did count as late',
  ]
}
