// The engine's waiting queue: first come, first served, except that preempted work goes back to the front.

export class Fifo<T> {
  private items: T[] = []
  private head = 0

  get length(): number {
    return this.items.length - this.head
  }

  push(item: T): void {
    this.items.push(item)
  }

  pushFront(item: T): void {
    if (this.head === 0) this.items.unshift(item)
    else this.items[--this.head] = item
  }

  peek(): T | undefined {
    return this.items[this.head]
  }

  shift(): T | undefined {
    const item = this.items[this.head]
    if (item === undefined) return undefined
    this.head++
    // Dropping the consumed half now and then keeps every operation O(1) amortized.
    if (this.head > 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head)
      this.head = 0
    }
    return item
  }

  /** Everything that waits, first to last; the queue is empty afterwards. */
  takeAll(): T[] {
    const all = this.items.slice(this.head)
    this.items = []
    this.head = 0
    return all
  }
}
