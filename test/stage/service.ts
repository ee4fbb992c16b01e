// How the users of a simulated fleet are served, in the two ways that an SLO with a percentile can be read: by request,
// and by what is late beyond the percentile's allowance, minute by minute.
import type { FleetClass } from '../../src/simulation/fleet.ts'
import type { FleetObserver, FleetVariant } from '../../src/simulation/pod.ts'
import type { Completion } from '../../src/simulation/request.ts'
import { type ClassScore, Score } from '../../src/simulation/score.ts'

export class Service implements FleetObserver {
  private readonly score: Score
  private readonly percentile: number
  private before: Counts = { finished: 0, promptly: 0, gaps: 0, slowGaps: 0 }
  private requests = 0
  private broken = 0

  /** For a fleet with one class. */
  constructor(classes: readonly FleetClass[], percentile: number) {
    this.score = new Score(classes)
    this.percentile = percentile
  }

  gap(seconds: number, times: number): void {
    this.score.gap(seconds, times)
  }

  completed(completion: Completion, variant: FleetVariant): void {
    this.score.completed(completion, variant)
  }

  endMinute(): void {
    const now = { ...this.counts }
    const finished = now.finished - this.before.finished
    const gaps = now.gaps - this.before.gaps
    const late = finished > 0 ? 1 - (now.promptly - this.before.promptly) / finished : 0
    const slow = gaps > 0 ? (now.slowGaps - this.before.slowGaps) / gaps : 0
    const beyond = Math.max(0, Math.max(late, slow) - (1 - this.percentile)) / this.percentile
    this.requests += finished
    this.broken += finished * beyond
    const { finished: f, promptly, gaps: g, slowGaps } = now
    this.before = { finished: f, promptly, gaps: g, slowGaps }
  }

  /** Of the requests: those whose TTFT and mean gap are within the bounds. */
  get byRequest(): number {
    return this.counts.attainment ?? 1
  }

  /** 1 less the requests that are late beyond what the percentile allows in their minute. */
  get byPercentile(): number {
    return this.requests > 0 ? 1 - this.broken / this.requests : 1
  }

  get finished(): number {
    return this.counts.finished
  }

  private get counts(): ClassScore {
    return this.score.classes[0] as ClassScore
  }
}

type Counts = Pick<ClassScore, 'finished' | 'promptly' | 'gaps' | 'slowGaps'>
