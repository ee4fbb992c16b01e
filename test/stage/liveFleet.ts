// A simulated fleet on the wall clock, behind its HTTP endpoints: virtual second 0 is the moment it starts.
import { type ExpositionServer, startExpositionServer } from '../../src/demo/expositionServer.ts'
import { Fleet, type FleetSettings } from '../../src/simulation/fleet.ts'
import type { Request } from '../../src/simulation/request.ts'
import { Score } from '../../src/simulation/score.ts'
import { World } from '../../src/simulation/world.ts'

export interface LiveFleet {
  readonly fleet: Fleet
  readonly score: Score
  readonly targetsUrl: string
  readonly trafficEnded: () => boolean
  /** Brings the fleet to the present and returns it in virtual seconds. */
  readonly advance: () => number
  readonly close: () => Promise<void>
}

export async function startLiveFleet(
  settings: FleetSettings,
  arrivals: Iterator<Request>,
): Promise<LiveFleet> {
  const score = new Score(settings.classes)
  const fleet = new Fleet(settings, score)
  const world = new World(fleet, arrivals)
  const epochSeconds = Date.now() / 1000
  const advance = (): number => {
    const now = Date.now() / 1000 - epochSeconds
    world.advance(Math.max(now, fleet.nowSeconds))
    return fleet.nowSeconds
  }
  const server: ExpositionServer = await startExpositionServer({
    fleets: [fleet],
    flavour: 'v1',
    gateway: 'inferenceGateway',
    epochSeconds,
    advance,
    port: 0,
  })
  return {
    fleet,
    score,
    targetsUrl: server.targetsUrl,
    trafficEnded: () => world.trafficEnded,
    advance,
    close: server.close,
  }
}
