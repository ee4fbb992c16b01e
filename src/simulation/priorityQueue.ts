// First come, first served within a priority, and lower numbers before higher ones: a gateway's queue, and vLLM's
// waiting queue under --scheduling-policy priority. With one priority it is a plain queue.
import { Fifo } from './fifo.ts'

export class PriorityQueue<T> {
  private readonly queues: Fifo<T>[] = []

  get length(): number {
    let length = 0
    for (const queue of this.queues) length += queue.length
    return length
  }

  /** `priority`: a whole number from 0 on, 0 first. */
  push(item: T, priority: number): void {
    this.queueOf(priority).push(item)
  }

  pushFront(item: T, priority: number): void {
    this.queueOf(priority).pushFront(item)
  }

  peek(): T | undefined {
    for (const queue of this.queues) if (queue.length > 0) return queue.peek()
    return undefined
  }

  shift(): T | undefined {
    for (const queue of this.queues) if (queue.length > 0) return queue.shift()
    return undefined
  }

  /** Everything that waits, in the order in which it would have been served. */
  takeAll(): T[] {
    return this.queues.flatMap((queue) => queue.takeAll())
  }

  private queueOf(priority: number): Fifo<T> {
    let queue = this.queues[priority]
    while (queue === undefined) {
      this.queues.push(new Fifo<T>())
      queue = this.queues[priority]
    }
    return queue
  }
}
