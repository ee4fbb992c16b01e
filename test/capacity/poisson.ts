// So many requests of a Poisson stream, for the simulated replica.
import { constantRate, renewalArrivals } from '../../src/simulation/arrivals.ts'
import type { DrawLengths } from '../../src/simulation/lengths.ts'
import type { Request } from '../../src/simulation/request.ts'

export function* poisson(
  requestsPerSecond: number,
  lengths: DrawLengths,
  count: number,
  seed: number,
): Generator<Request> {
  const traffic = {
    rate: constantRate(requestsPerSecond),
    lengths,
    seed,
    cv: 1,
    classIndex: 0,
    fromSeconds: 0,
    untilSeconds: 1e9,
  }
  let left = count
  for (const request of renewalArrivals(traffic)) {
    if (left-- <= 0) return
    yield request
  }
}
