// Where the money of a run goes: the layers of every decision, each for as long as it was the newest, and what was paid beyond
// them. A decision that cannot be split leaves what is paid under it unattributed, so that the layers still add up.
import { isMissing, missing, type Reading } from '../core/reading.ts'
import { figure } from './record.ts'
import type { Spending } from './result.ts'
import type { TargetLayers } from './targetLayers.ts'

/** Dollars per hour times seconds, and dollars. */
export interface LayerSeconds {
  readonly layers: TargetLayers
  readonly attributedSeconds: number
  readonly unattributedDollars: number
}

const nothing: LayerSeconds = {
  layers: { demand: 0, forecast: 0, hold: 0, headroom: 0, wholeReplicas: 0, deadBand: 0, limits: 0 },
  attributedSeconds: 0,
  unattributedDollars: 0,
}

/** Instants come in order. Dollars are those since second 0, asked for where they are needed only. */
export class SpendingBook {
  private newest: Reading<TargetLayers> | undefined = undefined
  private since = 0
  private dollarsBefore = 0
  private sum = nothing

  /** `layers`: undefined for a rule that has none. */
  decided(at: number, layers: Reading<TargetLayers> | undefined, dollars: () => number): void {
    if (layers === undefined) return
    this.close(at, dollars)
    this.newest = layers
    if (isMissing(layers)) this.dollarsBefore = dollars()
  }

  /** Of what came before it, only the newest decision counts on. */
  begin(at: number, dollars: number): void {
    this.sum = nothing
    this.since = at
    this.dollarsBefore = dollars
  }

  /** Undefined for a rule that has no layers. */
  until(at: number, dollars: number): LayerSeconds | undefined {
    if (this.newest === undefined) return undefined
    this.close(at, () => dollars)
    return this.sum
  }

  private close(at: number, dollars: () => number): void {
    const seconds = at - this.since
    const newest = this.newest ?? missing('noSeries', 'a decision')
    this.since = at
    if (seconds <= 0) return
    const { layers, attributedSeconds, unattributedDollars } = this.sum
    this.sum = isMissing(newest)
      ? { ...this.sum, unattributedDollars: unattributedDollars + dollars() - this.dollarsBefore }
      : {
          layers: plus(layers, newest, seconds),
          attributedSeconds: attributedSeconds + seconds,
          unattributedDollars,
        }
  }
}

function plus(sum: TargetLayers, more: TargetLayers, seconds: number): TargetLayers {
  return {
    demand: sum.demand + more.demand * seconds,
    forecast: sum.forecast + more.forecast * seconds,
    hold: sum.hold + more.hold * seconds,
    headroom: sum.headroom + more.headroom * seconds,
    wholeReplicas: sum.wholeReplicas + more.wholeReplicas * seconds,
    deadBand: sum.deadBand + more.deadBand * seconds,
    limits: sum.limits + more.limits * seconds,
  }
}

/** Actuation is what is left of what was paid: figures are rounded, and their sum is not. */
export function spendingOf(
  { layers, attributedSeconds, unattributedDollars }: LayerSeconds,
  dollarsPerHour: number,
  scoredSeconds: number,
): Spending {
  const decided = {
    demand: figure(layers.demand / scoredSeconds),
    forecast: figure(layers.forecast / scoredSeconds),
    hold: figure(layers.hold / scoredSeconds),
    headroom: figure(layers.headroom / scoredSeconds),
    wholeReplicas: figure(layers.wholeReplicas / scoredSeconds),
    deadBand: figure(layers.deadBand / scoredSeconds),
    limits: figure(layers.limits / scoredSeconds),
  }
  const unattributed = figure((unattributedDollars / scoredSeconds) * 3600)
  const known = Object.values(decided).reduce((sum, each) => sum + each, unattributed)
  const actuation = Number((dollarsPerHour - known).toFixed(9))
  return {
    perHour: { ...decided, actuation, unattributed },
    attributedShare: figure(attributedSeconds / scoredSeconds),
  }
}
