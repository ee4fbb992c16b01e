// How the users of a simulated fleet are served, as a spectator sees it: latencies of the last minute as
// clients had them, and over the whole run how often they kept the SLO.
import type { FleetClass } from '../simulation/fleet.ts'
import { Latencies } from '../simulation/latencies.ts'
import type { FleetObserver, FleetVariant } from '../simulation/pod.ts'
import type { Completion } from '../simulation/request.ts'
import { type ClassScore, Score } from '../simulation/score.ts'

export interface Recent {
  /** Arrivals per second at the gateway. */
  readonly requestsPerSecond: number
  /** Seconds at the 95th percentile, undefined where nothing happened. */
  readonly ttftP95: number | undefined
  readonly itlP95: number | undefined
}

/** Shares, 0..1; undefined where nothing happened. */
export interface Service {
  /** Of the minutes: those in which the 95th percentiles of TTFT and ITL both kept their bounds. */
  readonly time: number | undefined
  /** Of the requests: those whose first token came in time. */
  readonly ttft: number | undefined
  /** Of the gaps between tokens: those within the bound. */
  readonly itl: number | undefined
}

export const windowSeconds = 60

export class Watch implements FleetObserver {
  private readonly score: Score
  private readonly bounds: FleetClass
  private windows = 0
  private windowsKept = 0
  private readonly ttft = new Latencies()
  private readonly itl = new Latencies()
  private fromSeconds = 0
  private arrivedBefore = 0
  private shown: Recent = { requestsPerSecond: 0, ttftP95: undefined, itlP95: undefined }

  /** For a fleet with one class. */
  constructor(bounds: FleetClass) {
    this.bounds = bounds
    this.score = new Score([bounds])
  }

  get service(): Service {
    const { finished, promptly, gaps, slowGaps } = this.score.classes[0] as ClassScore
    return {
      time: share(this.windowsKept, this.windows),
      ttft: share(promptly, finished),
      itl: share(gaps - slowGaps, gaps),
    }
  }

  gap(seconds: number, times: number): void {
    this.score.gap(seconds, times)
    this.itl.add(seconds, times)
  }

  completed(completion: Completion, variant: FleetVariant): void {
    this.score.completed(completion, variant)
    this.ttft.add(
      completion.firstTokenAtSeconds - completion.request.arrivedAtSeconds + variant.profile.h / 1000,
    )
  }

  /** The newest whole minute; `arrived` counts requests since the beginning. To be asked at least so often. */
  recent(atSeconds: number, arrived: number): Recent {
    if (atSeconds < this.fromSeconds + windowSeconds) return this.shown
    this.shown = {
      requestsPerSecond: (arrived - this.arrivedBefore) / (atSeconds - this.fromSeconds),
      ttftP95: this.ttft.quantile(0.95),
      itlP95: this.itl.quantile(0.95),
    }
    const { ttftP95 = 0, itlP95 = 0 } = this.shown
    this.windows++
    if (ttftP95 <= this.bounds.ttftSeconds && itlP95 <= this.bounds.itlSeconds) this.windowsKept++
    this.ttft.clear()
    this.itl.clear()
    this.fromSeconds = atSeconds
    this.arrivedBefore = arrived
    return this.shown
  }
}

function share(part: number, whole: number): number | undefined {
  return whole > 0 ? part / whole : undefined
}
