// One class on its way through the fluid plant: who waits at the gateway, who is in the engines, and their latencies so far.
import type { Shape } from '../../core/capacity/question.ts'
import type { ClassService } from '../serviceBook.ts'
import type { SiteClass } from '../site.ts'
import { Cohorts } from './cohorts.ts'
import { LatencyLedger } from './latencyLedger.ts'

export interface ClassFlow {
  readonly index: number
  readonly site: SiteClass
  /** At the gateway, and in the engines. */
  readonly held: Cohorts
  readonly inside: Cohorts
  readonly ttft: LatencyLedger
  readonly tpot: LatencyLedger
  readonly itl: LatencyLedger
  shape: Shape | undefined
  outputTokens: number
}

export function classFlow(site: SiteClass, index: number): ClassFlow {
  return {
    index,
    site,
    held: new Cohorts(),
    inside: new Cohorts(),
    ttft: new LatencyLedger('ttft'),
    tpot: new LatencyLedger('tpot'),
    itl: new LatencyLedger('itl'),
    shape: undefined,
    outputTokens: 1,
  }
}

export function spreadOver({ ttft, tpot, itl }: ClassFlow, service: ClassService): void {
  ttft.spreadOver(service.ttft)
  tpot.spreadOver(service.tpot)
  itl.spreadOver(service.itl)
}
