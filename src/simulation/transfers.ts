// KV caches on their way from a prefill replica to a decode replica, by the time they arrive.
import type { Request } from './request.ts'
import { TimeOrder } from './timeOrder.ts'

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
  private readonly order = new TimeOrder<Transfer>(Infinity, ({ dueAtSeconds }) => dueAtSeconds)

  constructor(time: TransferTime) {
    this.time = time
  }

  get length(): number {
    return this.order.length
  }

  begin(request: Request, group: string, atSeconds: number): void {
    const { baseSeconds, secondsPerToken } = this.time
    const dueAtSeconds = atSeconds + baseSeconds + secondsPerToken * request.promptTokens
    this.order.push({ dueAtSeconds, request, group })
  }

  /** The earliest that is due by then, taken out. */
  take(untilSeconds: number): Transfer | undefined {
    return this.order.popUntil(untilSeconds)
  }
}
