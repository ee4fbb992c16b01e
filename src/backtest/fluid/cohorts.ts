// Requests of one class in the order of their arrival, as amounts: who came in one step is a cohort. What completes is
// what came first.

export interface Cohort {
  readonly arrivedAt: number
  requests: number
  /** Shares that kept their bound on TTFT; known when they enter an engine. */
  ttftKept: number
}

export class Cohorts {
  private items: Cohort[] = []
  private head = 0
  private amount = 0

  get requests(): number {
    return this.amount
  }

  push(cohort: Cohort): void {
    if (cohort.requests <= 0) return
    this.items.push(cohort)
    this.amount += cohort.requests
  }

  /** The first `requests` of them, whole or in part; fewer where there are not so many. */
  take(requests: number): Cohort[] {
    const taken: Cohort[] = []
    let left = requests
    while (left > 1e-12 && this.head < this.items.length) {
      const first = this.items[this.head] as Cohort
      const part = Math.min(left, first.requests)
      taken.push({ ...first, requests: part })
      left -= part
      this.amount -= part
      first.requests -= part
      if (first.requests <= 1e-12) {
        this.amount -= first.requests
        this.head++
      }
    }
    if (this.head > 256 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head)
      this.head = 0
    }
    return taken
  }

  takeAll(): Cohort[] {
    return this.take(Number.POSITIVE_INFINITY)
  }
}
