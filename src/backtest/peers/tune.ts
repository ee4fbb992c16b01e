// The best a peer can do: every combination of its grid is run, and the cheapest that reaches the goal is taken, with
// hindsight. Grid points only, nothing between them; and one configuration for many cells, as a user would have to
// choose it before the traffic comes.
import type { Configuration } from './peer.ts'

export interface Outcome {
  /** Of the requests, within all bounds: 0..1. */
  readonly attainment: number
  readonly dollarsPerHour: number
}

export interface Tried<T extends Outcome> {
  /** Of the configuration. */
  readonly label: string
  readonly outcome: T
}

export type Tuned<T extends Outcome> =
  | { readonly kind: 'reached'; readonly best: Tried<T> }
  /** None does; the one that comes nearest. */
  | { readonly kind: 'outOfReach'; readonly nearest: Tried<T> }

/** The cheapest of those that reach the goal; of equals the first. */
export function tuned<T extends Outcome>(tried: readonly Tried<T>[], goal: number): Tuned<T> {
  const reaching = tried.filter(({ outcome }) => outcome.attainment >= goal)
  const best = least(reaching, ({ outcome }) => outcome.dollarsPerHour)
  if (best !== undefined) return { kind: 'reached', best }
  const nearest = least(tried, ({ outcome }) => -outcome.attainment)
  if (nearest === undefined) throw new RangeError('nothing was tried')
  return { kind: 'outOfReach', nearest }
}

export function tune<T extends Outcome>(
  configurations: readonly Configuration[],
  goal: number,
  run: (configuration: Configuration) => T,
): Tuned<T> {
  return tuned(
    configurations.map((configuration) => ({ label: configuration.label, outcome: run(configuration) })),
    goal,
  )
}

export interface Single<T extends Outcome> {
  readonly label: string
  /** Cell by cell, in the order given. */
  readonly outcomes: readonly T[]
  readonly cellsReached: number
}

/**
 * The one configuration, by label, for all cells: the one that reaches the goal in most of them, and of those the
 * cheapest by the geometric mean of its cost over `reference` (dollars per hour, cell by cell). Where none reaches it in
 * any cell, the one whose worst cell is best.
 */
export function single<T extends Outcome>(
  cells: readonly (readonly Tried<T>[])[],
  reference: readonly number[],
  goal: number,
): Single<T> | undefined {
  const candidates = (cells[0] ?? []).flatMap(({ label }) => {
    const outcomes = cells.flatMap((tried) => tried.find((each) => each.label === label)?.outcome ?? [])
    if (outcomes.length < cells.length) return []
    return [{ label, outcomes, cellsReached: outcomes.filter(({ attainment }) => attainment >= goal).length }]
  })
  const cost = ({ outcomes }: Single<T>): number =>
    outcomes.reduce((sum, { dollarsPerHour }, i) => sum + Math.log(dollarsPerHour / (reference[i] ?? 1)), 0)
  const worst = ({ outcomes }: Single<T>): number => Math.min(...outcomes.map(({ attainment }) => attainment))
  const ordered = candidates.toSorted((x, y) => y.cellsReached - x.cellsReached || cost(x) - cost(y))
  return ordered[0]?.cellsReached === 0 ? least(ordered, (each) => -worst(each)) : ordered[0]
}

function least<T>(all: readonly T[], of: (each: T) => number): T | undefined {
  let best: T | undefined
  for (const each of all) if (best === undefined || of(each) < of(best)) best = each
  return best
}
