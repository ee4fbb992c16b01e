// Three experts, each weighed by what it has cost lately: the last value, the mean of the last minutes, and a linear
// forecast from levels and season. No single one wins on every trace; the mixture stays close to whichever does.

/** Of the log demand, relative to its last value. */
export interface Opinions {
  readonly last: 0
  readonly smooth: number
  readonly linear: number
}

/** What each expert's errors add up to, old ones forgotten: L. */
export interface Losses {
  readonly last: number
  readonly smooth: number
  readonly linear: number
}

export const noLosses: Losses = { last: 0, smooth: 0, linear: 0 }

/** What was lost counts a third after this time: 0.999 every 15 s. */
const timeConstantSeconds = 15_000

const largestLoss = 0.5

/** L_i = keep L_i + min(0.5, |e - opinion_i|), where `e` is what the log demand really changed by. */
export function lose(losses: Losses, opinions: Opinions, e: number, seconds: number): Losses {
  const keep = Math.exp(-seconds / timeConstantSeconds)
  const after = (expert: keyof Losses): number =>
    keep * losses[expert] + Math.min(largestLoss, Math.abs(e - opinions[expert]))
  return { last: after('last'), smooth: after('smooth'), linear: after('linear') }
}

/** sum w_i opinion_i with w_i ~ exp(-(L_i - min L) / (0.03 min L + 0.02 minutes of horizon)). */
export function mixed(losses: Losses, opinions: Opinions, horizonSeconds: number): number {
  const least = Math.min(losses.last, losses.smooth, losses.linear)
  const temperature = 0.03 * least + 0.02 * (horizonSeconds / 60)
  let weights = 0
  let sum = 0
  for (const expert of ['last', 'smooth', 'linear'] as const) {
    const weight = Math.exp(-(losses[expert] - least) / temperature)
    weights += weight
    sum += weight * opinions[expert]
  }
  return sum / weights
}
