// The floor that traffic needs which comes faster than replicas start: the demand of each class that has to be planned for
// at all times for the goal to be attained. Found by trying: docs/BACKTEST.md, "The floor".
import type { ClassId, PolicySet } from '../core/policy.ts'
import type { Result } from './result.ts'

/** Requests per second to plan for at least, by class. */
export type Floors = Readonly<Record<ClassId, number>>

/** One floor, played with every seed. */
export interface FloorTrial {
  /** Of each class's busiest minute. */
  readonly share: number
  readonly floors: Floors
  /** By class that has an SLO: the least over the seeds. */
  readonly attained: Readonly<Record<ClassId, number>>
  /** Mean over the seeds. */
  readonly dollarsPerHour: number
}

/** The policies, with these floors planned for from the beginning of time to its end. */
export function withFloors(policies: PolicySet, floors: Floors): PolicySet {
  const always = { kind: 'once', fromSecond: 0, untilSecond: Number.MAX_SAFE_INTEGER } as const
  return {
    ...policies,
    policies: policies.policies.map((policy) => {
      const demand = Object.fromEntries(
        policy.classes.flatMap(({ id }) => {
          const atLeastPerSecond = floors[id]
          return atLeastPerSecond === undefined ? [] : [[id, { atLeastPerSecond }] as const]
        }),
      )
      if (Object.keys(demand).length === 0) return policy
      const floor = { title: 'floor', when: always, hold: false, replicas: {}, demand }
      return { ...policy, schedules: [...(policy.schedules ?? []), floor] }
    }),
  }
}

/** `results`: of one floor, one for each seed; at least one. */
export function trialOf(share: number, floors: Floors, results: readonly Result[]): FloorTrial {
  const attained: Record<ClassId, number> = {}
  for (const { classes } of results)
    for (const { id, kind, attainment } of classes)
      if (kind === 'interactive' && attainment !== undefined)
        attained[id] = Math.min(attained[id] ?? 1, attainment.all)
  const dollarsPerHour = results.reduce((sum, one) => sum + one.dollarsPerHour, 0) / results.length
  return { share, floors, attained, dollarsPerHour }
}

/** Requests per second of each class that has an SLO and misses the goal, in its busiest minute of any seed. */
export function missedPeaks(trial: FloorTrial, goal: number, results: readonly Result[]): Floors {
  const missed = Object.entries(trial.attained).filter(([, attained]) => attained < goal)
  return Object.fromEntries(
    missed.map(([id]) => [
      id,
      results.reduce((most, { minutes }) => Math.max(most, ...(minutes.classes[id]?.demand ?? [])), 0),
    ]),
  )
}

/** So much of each peak, to three digits, rounded up: what is written into a policy is what was tried. */
export function floorsAt(share: number, peaks: Floors): Floors {
  return Object.fromEntries(
    Object.entries(peaks).map(([id, peak]) => {
      const digits = 10 ** (2 - Math.floor(Math.log10(Math.max(1e-3, share * peak))))
      return [id, Math.ceil(share * peak * digits) / digits]
    }),
  )
}

export function reaches({ attained }: FloorTrial, goal: number): boolean {
  return Object.values(attained).every((each) => each >= goal)
}

/** The lowest floor from which on every higher one that was tried attains the goal. */
export function lowestReaching(trials: readonly FloorTrial[], goal: number): FloorTrial | undefined {
  const sorted = trials.toSorted((x, y) => y.share - x.share)
  const failing = sorted.findIndex((trial) => !reaches(trial, goal))
  return failing < 0 ? sorted.at(-1) : sorted[failing - 1]
}

/**
 * The cheapest of those that attain the goal and are not contradicted by a higher one: the lowest need not be it, since where
 * much is late headroom is learnt that costs more than the floor which spares it.
 */
export function cheapestReaching(trials: readonly FloorTrial[], goal: number): FloorTrial | undefined {
  const lowest = lowestReaching(trials, goal)
  if (lowest === undefined) return undefined
  return trials
    .filter(({ share }) => share >= lowest.share)
    .reduce((best, each) => (each.dollarsPerHour < best.dollarsPerHour ? each : best), lowest)
}

/**
 * One after another, until one reaches. Seconds inside the busiest minute ask for more than it does on average, but what
 * more than six times as much misses is no matter of floors.
 */
const firstShares = [
  [0.25, 0.5, 0.75, 1],
  [1.5, 2, 3],
  [4, 6],
]

/** Shares between the last that fails and the first that reaches, per round, and how fine it gets, of what is found. */
const between = 4
const finest = 0.05

/** What is to be tried next, all at once; empty where the floor is known, or where none of those tried reaches the goal. */
export function sharesToTry(trials: readonly FloorTrial[], goal: number): readonly number[] {
  const found = lowestReaching(trials, goal)
  if (found === undefined) {
    const most = Math.max(...trials.map(({ share }) => share))
    return firstShares.find(([first = 0]) => first > most) ?? []
  }
  if (found.share === 0) return []
  const below = Math.max(...trials.map(({ share }) => share).filter((share) => share < found.share))
  const step = (found.share - below) / (between + 1)
  if (found.share - below <= finest * found.share) return []
  return Array.from({ length: between }, (_, i) => below + (i + 1) * step)
}

export interface FloorDocument {
  readonly format: 'mixscaler-floor/1'
  /** 0..1: share of the requests of each class within its SLO, in every run. */
  readonly goal: number
  /** The cheapest that attains it, where none that is higher does not. Undefined where none of those tried attains it. */
  readonly found: FloorTrial | undefined
  /** In order of their floors; the first is without one. */
  readonly trials: readonly FloorTrial[]
}

export function floorDocument(trials: readonly FloorTrial[], goal: number): FloorDocument {
  return {
    format: 'mixscaler-floor/1',
    goal,
    found: cheapestReaching(trials, goal),
    trials: trials.toSorted((x, y) => x.share - y.share),
  }
}
