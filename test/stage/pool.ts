// Replicas behind a router that joins the shortest queue.
import type { Replica } from '../../src/simulation/replica.ts'
import type { Request } from '../../src/simulation/request.ts'

/** Plays all arrivals, which come in order of time, and what they leave to be done. */
export function playPool(pool: readonly Replica[], arrivals: Iterable<Request>): void {
  let turn = 0
  for (const request of arrivals) {
    for (const replica of pool) replica.advance(request.arrivedAtSeconds)
    shortestQueue(pool, turn++).submit(request, request.arrivedAtSeconds)
  }
  for (const replica of pool) replica.advance(Number.MAX_VALUE)
}

/** Ties go round. */
function shortestQueue(pool: readonly Replica[], turn: number): Replica {
  let best = pool[turn % pool.length] as Replica
  for (let i = 1; i < pool.length; i++) {
    const other = pool[(turn + i) % pool.length] as Replica
    if (other.inSystem < best.inSystem) best = other
  }
  return best
}
