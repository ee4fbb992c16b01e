// What comes in any order, or nearly in order, taken out in order of time: hand-overs under way, logs that are written
// when requests end, copies of traffic that come a little later. Memory is bounded by the capacity.

export class TimeOrder<T> {
  private readonly capacity: number
  private readonly timeOf: (item: T) => number
  /** A binary heap, the earliest first; among equals the first that came. */
  private readonly heap: { readonly at: number; readonly turn: number; readonly item: T }[] = []
  private turn = 0

  constructor(capacity: number, timeOf: (item: T) => number) {
    this.capacity = capacity
    this.timeOf = timeOf
  }

  get length(): number {
    return this.heap.length
  }

  /** Takes an item, and gives the earliest one where there are more than it may hold. */
  push(item: T): T | undefined {
    const { heap } = this
    let at = heap.length
    heap.push({ at: this.timeOf(item), turn: this.turn++, item })
    while (at > 0 && this.before(at, (at - 1) >> 1)) {
      this.swap(at, (at - 1) >> 1)
      at = (at - 1) >> 1
    }
    return heap.length > this.capacity ? this.pop() : undefined
  }

  /** The earliest, if it is not after this time. */
  popUntil(seconds: number): T | undefined {
    return (this.heap[0]?.at ?? Infinity) <= seconds ? this.pop() : undefined
  }

  *rest(): Generator<T> {
    while (this.heap.length > 0) yield this.pop() as T
  }

  private pop(): T | undefined {
    const { heap } = this
    this.swap(0, heap.length - 1)
    const first = heap.pop()
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      const earliest = left + 1 < heap.length && this.before(left + 1, left) ? left + 1 : left
      if (earliest >= heap.length || !this.before(earliest, at)) return first?.item
      this.swap(at, earliest)
      at = earliest
    }
  }

  private before(i: number, j: number): boolean {
    const [x, y] = [this.heap[i], this.heap[j]]
    if (x === undefined || y === undefined) return false
    return x.at < y.at || (x.at === y.at && x.turn < y.turn)
  }

  private swap(i: number, j: number): void {
    const [x, y] = [this.heap[i], this.heap[j]]
    if (x === undefined || y === undefined) return
    this.heap[i] = y
    this.heap[j] = x
  }
}
