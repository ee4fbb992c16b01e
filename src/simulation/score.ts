// How well the fleet's users were served: attainment by request and by token, and latencies as clients see them.
import type { FleetClass } from './fleet.ts'
import { Latencies } from './latencies.ts'
import type { FleetObserver, FleetVariant } from './pod.ts'
import { type Completion, timePerOutputToken } from './request.ts'

export class ClassScore {
  finished = 0
  /** Requests whose TTFT and whose mean gap between tokens both kept their bounds. */
  withinSlo = 0
  /** Requests whose TTFT kept its bound. */
  promptly = 0
  gaps = 0
  slowGaps = 0
  /** Arrival at the gateway to the first token at the client. */
  readonly ttft = new Latencies()
  /** Mean gap of each request. */
  readonly tpot = new Latencies()

  /** 0..1, or undefined where nothing finished. */
  get attainment(): number | undefined {
    return this.finished > 0 ? this.withinSlo / this.finished : undefined
  }
}

export class Score implements FleetObserver {
  readonly classes: readonly ClassScore[]
  /** Every gap between two tokens, all classes together. */
  readonly itl = new Latencies()
  private readonly bounds: readonly FleetClass[]

  constructor(bounds: readonly FleetClass[]) {
    this.bounds = bounds
    this.classes = bounds.map(() => new ClassScore())
  }

  gap(seconds: number, times: number): void {
    this.itl.add(seconds, times)
  }

  completed(completion: Completion, variant: FleetVariant): void {
    const score = this.classes[completion.request.classIndex]
    const bound = this.bounds[completion.request.classIndex]
    if (score === undefined || bound === undefined) return
    score.finished++
    if (completion.reason === 'error') return
    const ttft =
      completion.firstTokenAtSeconds - completion.request.arrivedAtSeconds + variant.profile.h / 1000
    const tpot = timePerOutputToken(completion)
    score.ttft.add(ttft)
    score.gaps += completion.outputTokens - 1
    score.slowGaps += completion.slowGaps
    if (completion.outputTokens > 1) score.tpot.add(tpot)
    if (ttft > bound.ttftSeconds) return
    score.promptly++
    if (tpot <= bound.itlSeconds) score.withinSlo++
  }
}
