// KV caches on their way from a prefill replica to a decode replica, by the time they arrive.
import type { Request } from './request.ts'

/** How long the hand-over of one prompt's KV takes, from its prefill's end to the decode engine having it. */
export interface TransferTime {
  readonly baseSeconds: number
  readonly secondsPerToken: number
}

interface Transfer {
  readonly dueAtSeconds: number
  readonly request: Request
  readonly group: string
}

export class Transfers {
  private readonly time: TransferTime
  /** A binary heap: the earliest first. */
  private readonly heap: Transfer[] = []

  constructor(time: TransferTime) {
    this.time = time
  }

  get length(): number {
    return this.heap.length
  }

  begin(request: Request, group: string, atSeconds: number): void {
    const { baseSeconds, secondsPerToken } = this.time
    const dueAtSeconds = atSeconds + baseSeconds + secondsPerToken * request.promptTokens
    const { heap } = this
    let at = heap.length
    heap.push({ dueAtSeconds, request, group })
    while (at > 0 && this.due(at) < this.due((at - 1) >> 1)) {
      this.swap(at, (at - 1) >> 1)
      at = (at - 1) >> 1
    }
  }

  /** The earliest that is due by then, taken out. */
  take(untilSeconds: number): Transfer | undefined {
    const { heap } = this
    if (heap.length === 0 || this.due(0) > untilSeconds) return undefined
    this.swap(0, heap.length - 1)
    const first = heap.pop()
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      const earliest = this.due(left + 1) < this.due(left) ? left + 1 : left
      if (!(this.due(earliest) < this.due(at))) return first
      this.swap(at, earliest)
      at = earliest
    }
  }

  private due(index: number): number {
    return this.heap[index]?.dueAtSeconds ?? Infinity
  }

  private swap(i: number, j: number): void {
    const [x, y] = [this.heap[i], this.heap[j]]
    if (x === undefined || y === undefined) return
    this.heap[i] = y
    this.heap[j] = x
  }
}
