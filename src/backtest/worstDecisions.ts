// The decisions behind the minutes in which most requests broke their bounds, kept in bounded memory: which minutes are worst
// is known only when their requests have ended, so the last hour's decisions wait, and then the best of them go.
import type { Told } from './controller.ts'
import type { MinuteDecision } from './result.ts'
import type { ServiceBook } from './serviceBook.ts'

type Why = NonNullable<Told['why']>

interface Kept {
  readonly minute: number
  readonly why: Why
}

/** By then what arrived has ended, or counts as late. */
const settledMinutes = 60
const mostKept = 20

export class WorstDecisions {
  private readonly classes: number
  private waiting: Kept[] = []
  private worst: (Kept & { readonly late: number })[] = []

  constructor(classes: number) {
    this.classes = classes
  }

  /** What is in force as a minute begins; minutes come in order. */
  enter(minute: number, why: Why | undefined, service: ServiceBook): void {
    if (why !== undefined) this.waiting.push({ minute, why })
    const [oldest] = this.waiting
    if (oldest === undefined || oldest.minute > minute - settledMinutes) return
    this.waiting.shift()
    this.settle(oldest, service)
  }

  /** After the end: what still waits is settled as it is. */
  decisions(service: ServiceBook): readonly MinuteDecision[] {
    for (const one of this.waiting) this.settle(one, service)
    this.waiting = []
    return this.worst
      .toSorted((x, y) => x.minute - y.minute)
      .map(({ minute, why }) => ({ minute, why: why() }))
  }

  private settle(one: Kept, service: ServiceBook): void {
    let late = 0
    for (let index = 0; index < this.classes; index++) {
      const { arrived, good } = service.classOf(index).minutes
      late += Math.max(0, (arrived[one.minute] ?? 0) - (good[one.minute] ?? 0))
    }
    if (late <= 0) return
    this.worst.push({ ...one, late })
    if (this.worst.length <= mostKept) return
    const least = this.worst.reduce((low, each) => (each.late < low.late ? each : low))
    this.worst = this.worst.filter((each) => each !== least)
  }
}
