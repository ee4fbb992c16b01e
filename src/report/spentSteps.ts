// Where the money of a run went, as tables and charts show it: from demand at its price to what was paid, one step per layer.
// Steps add up; where the bound is known, the way begins there, and what is beyond it is the regret.
import { type Spending, type SpendingLayer, spendingLayers } from '../backtest/result.ts'

export interface SpentStep {
  readonly layer: SpentLayer
  /** Signed. */
  readonly perHour: number
  /** Of what was paid; absent where nothing was. */
  readonly shareOfPaid?: number
}

export type SpentLayer = SpendingLayer | 'bound' | 'boundToDemand'

/** `unattributed` is among them where some of the time is. */
export function spentSteps(
  { perHour, attributedShare }: Spending,
  paidPerHour: number,
  boundPerHour: number | undefined,
): readonly SpentStep[] {
  const layers = spendingLayers.filter((layer) => layer !== 'unattributed' || attributedShare < 1)
  const all = layers.map((layer): readonly [SpentLayer, number] => [layer, perHour[layer]])
  const [, ...beyond] = all
  const begun: typeof all =
    boundPerHour === undefined
      ? all
      : [['bound', boundPerHour], ['boundToDemand', tidy(perHour.demand - boundPerHour)], ...beyond]
  return begun.map(([layer, dollars]) => ({
    layer,
    perHour: dollars,
    ...(paidPerHour > 0 ? { shareOfPaid: tidy(dollars / paidPerHour) } : {}),
  }))
}

/** A difference of figures, without the noise of subtracting them. */
function tidy(value: number): number {
  return Number(value.toFixed(9))
}

/** What a step is called, and what it is. */
export const spentWords: Readonly<Record<SpentLayer, { readonly title: string; readonly about: string }>> = {
  bound: { title: 'bound', about: 'what somebody would have paid who knew the traffic' },
  boundToDemand: {
    title: 'bound to demand',
    about: 'margins and small fleets in sizing, less the whole replicas and starts of the bound',
  },
  demand: { title: 'demand', about: 'what arrived, on the cheapest variant, in fractions of replicas' },
  forecast: { title: 'forecast', about: 'asked for ahead of demand, by forecast and schedules' },
  hold: { title: 'hold', about: 'demand that was higher a while ago' },
  headroom: { title: 'headroom', about: 'stated and learnt' },
  wholeReplicas: {
    title: 'whole replicas',
    about: 'rounding up, minimums, redundancy, dearer variants, less what was left short',
  },
  deadBand: {
    title: 'dead band',
    about: 'counts that the HPA would ignore, and changes that save too little',
  },
  limits: { title: 'limits', about: 'steps, GPUs and replicas waited for, schedules that hold' },
  actuation: { title: 'actuation', about: 'what ran beside the targets: polls, late starts, draining' },
  unattributed: { title: 'not attributed', about: 'paid while a demand, a plan or a target was missing' },
}
