// What a step of the fluid plant was worth to a class: who entered the engines gets a TTFT, who completed a place in the
// service book.
import type { TransferTime } from '../../simulation/transfers.ts'
import type { GatewayWindow } from '../gatewayWindow.ts'
import type { ServiceBook } from '../serviceBook.ts'
import type { ClassFlow } from './classFlow.ts'
import type { Cohort } from './cohorts.ts'
import type { Served } from './engines.ts'
import { type FluidVariant, ttftKept } from './fluidVariant.ts'
import { shareWithin } from './latencyTable.ts'

export interface SettlementOptions {
  readonly stepSeconds: number
  readonly transfer: TransferTime
  readonly service: ServiceBook
}

export interface SettledStep {
  /** When it began. */
  readonly at: number
  readonly entering: readonly Cohort[]
  /** By variant, of each class. */
  readonly inflow: readonly Float64Array[]
  /** By variant. */
  readonly served: readonly (Served | undefined)[]
}

export class Settlement {
  private readonly options: SettlementOptions
  private readonly variants: readonly FluidVariant[]
  private readonly gateway: GatewayWindow

  constructor(options: SettlementOptions, variants: readonly FluidVariant[], gateway: GatewayWindow) {
    this.options = options
    this.variants = variants
    this.gateway = gateway
  }

  /** Who entered gets a TTFT, who completes a place in the book. */
  settle(flow: ClassFlow, { at, entering, inflow, served }: SettledStep): void {
    const { stepSeconds, transfer, service } = this.options
    const { goal } = flow.site
    const scored = at >= service.warmupSeconds
    const entered = entering.reduce((total, { requests }) => total + requests, 0)
    for (const cohort of entering) {
      const waited = Math.max(0, at - cohort.arrivedAt)
      let kept = 0
      for (const [i, own] of inflow.entries()) {
        const part = (own[flow.index] ?? 0) / entered
        const step = served[i]
        const { variant } = this.variants[i] as FluidVariant
        if (!(part > 0) || variant.role === 'decode') continue
        if (step === undefined) continue
        const onTop =
          variant.role === 'prefill'
            ? this.decodeSeconds(variant.transferGroup, served) + transfer.baseSeconds
            : 0
        if (goal.kind === 'interactive') kept += part * ttftKept(step, goal.ttftSeconds, waited + onTop)
        if (scored) flow.ttft.add(step.arriving, part * cohort.requests, waited + onTop + step.waitSeconds)
      }
      flow.inside.push({ ...cohort, ttftKept: kept })
    }
    for (const [i, step] of served.entries()) {
      const { variant } = this.variants[i] as FluidVariant
      if (step === undefined || variant.role === 'prefill') continue
      if (scored && goal.kind === 'interactive' && variant.classes.includes(flow.index))
        flow.itl.add(step.running, step.gaps)
      const completed = step.completed[flow.index] ?? 0
      if (completed > 0) this.complete(flow, step, completed, at + stepSeconds, scored)
    }
  }

  private complete(flow: ClassFlow, step: Served, completed: number, at: number, scored: boolean): void {
    const { service } = this.options
    const { goal } = flow.site
    const gap = goal.kind === 'interactive' ? shareWithin(step.running, 'tpot', goal.gapSeconds) : 1
    if (scored) flow.tpot.add(step.running, completed)
    this.gateway.finished(flow.index, completed * flow.outputTokens)
    for (const { arrivedAt, requests, ttftKept: ttft } of flow.inside.take(completed)) {
      const ended = {
        classIndex: flow.index,
        arrivedAtSeconds: arrivedAt,
        requests,
        outputTokens: requests * flow.outputTokens,
      }
      if (goal.kind === 'interactive') {
        service.count(ended, { ttft, gap, both: Math.min(ttft, gap) })
        continue
      }
      const both = Number(at - arrivedAt <= goal.completeWithinSeconds)
      service.count(ended, { ttft: 1, gap: 1, both })
      if (scored) service.classOf(flow.index).completion.add(at - arrivedAt, requests)
    }
  }

  private decodeSeconds(group: string | undefined, served: readonly (Served | undefined)[]): number {
    for (const [i, { variant, engines }] of this.variants.entries()) {
      const step = served[i]
      if (variant.role === 'decode' && variant.transferGroup === group && step !== undefined)
        return engines.handOverSeconds(step) + step.waitSeconds
    }
    return 0
  }
}
