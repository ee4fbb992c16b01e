// What goes wrong, and when: a day of faults from a seed. Kinds are those of docs/OPERATIONS.md that reach the decision, and those
// of the fleet itself; times, lengths and particulars are drawn, so that faults also meet.
import type { Failure } from '../../src/backtest/plant.ts'
import type { Site } from '../../src/backtest/site.ts'
import type { VariantId } from '../../src/core/policy.ts'
import { Random } from '../../src/simulation/random.ts'

export interface Fault {
  readonly kind: FaultKind
  readonly fromSeconds: number
  readonly untilSeconds: number
  /** Whom it hits, where it hits one. */
  readonly variant: VariantId
  /** 0..1: how hard, where that varies. */
  readonly severity: number
}

interface Habit {
  /** In words, for the report. */
  readonly what: string
  readonly perDay: number
  /** How long at least and at most; equal for what happens at an instant. */
  readonly seconds: readonly [number, number]
}

export const habits = {
  prometheusGone: { what: 'Prometheus answers nothing', perDay: 6, seconds: [20, 600] },
  prometheusSlow: { what: 'answers take up to 30 s (limit 21 s)', perDay: 4, seconds: [60, 600] },
  queriesFail: { what: 'two of five queries fail', perDay: 4, seconds: [60, 600] },
  scrapesStop: { what: 'nothing is scraped: samples grow old', perDay: 4, seconds: [60, 480] },
  scrapesFail: { what: 'half of the scrapes fail', perDay: 4, seconds: [60, 900] },
  variantVanishes: { what: "one variant's series are gone", perDay: 4, seconds: [60, 1800] },
  variantLost: { what: "one variant's series are gone for hours", perDay: 3, seconds: [3600, 10_800] },
  doubledSeries: { what: 'a second monitor scrapes the same pods', perDay: 4, seconds: [120, 1200] },
  notANumber: { what: 'one pod says NaN in a third of its lines', perDay: 4, seconds: [60, 600] },
  counterReset: { what: "a variant's counters begin at 0 again", perDay: 4, seconds: [1, 1] },
  clockStep: { what: 'the clock is wrong by up to 15 min, either way', perDay: 6, seconds: [20, 300] },
  repeatedTick: { what: 'old ticks are asked for again', perDay: 12, seconds: [1, 1] },
  kubernetesGone: { what: 'counts of replicas stand still', perDay: 4, seconds: [120, 1200] },
  kubernetesUnknown: { what: 'counts of replicas are not known', perDay: 4, seconds: [120, 1200] },
  workerKilled: { what: 'the deciding worker dies, or hangs for 20 s', perDay: 6, seconds: [30, 30] },
  restart: { what: 'the process is killed, and down for a while', perDay: 12, seconds: [2, 180] },
  podLoss: { what: 'a pod crashes; each third time two', perDay: 6, seconds: [1, 1] },
  slowPod: { what: 'one pod runs 1.5 to 3 times slower, then crashes', perDay: 2, seconds: [300, 1200] },
  poolFull: { what: "somebody else takes the scarce pool's free GPUs", perDay: 3, seconds: [600, 2400] },
} as const satisfies Readonly<Record<string, Habit>>

export type FaultKind = keyof typeof habits
export const faultKinds = Object.keys(habits) as readonly FaultKind[]

export interface FaultPlan {
  readonly site: Site
  readonly kinds: readonly FaultKind[]
  /** Times as many as `perDay`. */
  readonly rate: number
  readonly fromSeconds: number
  readonly untilSeconds: number
  readonly seed: number
}

/** In order of their beginning. Each kind has numbers of its own: leaving one out does not change the others. */
export function drawFaults({
  site,
  kinds,
  rate,
  fromSeconds,
  untilSeconds,
  seed,
}: FaultPlan): readonly Fault[] {
  const faults = kinds.flatMap((kind) => {
    const { perDay, seconds } = habits[kind]
    const random = new Random(seed, 100 + faultKinds.indexOf(kind))
    const span = untilSeconds - fromSeconds
    const count = Math.max(1, Math.round((perDay * rate * span) / 86_400))
    return Array.from({ length: count }, (_, index): Fault => {
      // One in each equal part of the time.
      const from = Math.floor(fromSeconds + (span * (index + random.uniform())) / count)
      const lasting = seconds[0] * (seconds[1] / seconds[0]) ** random.uniform()
      return {
        kind,
        fromSeconds: from,
        untilSeconds: Math.min(untilSeconds, from + Math.round(lasting)),
        variant: (site.variants[random.integer(site.variants.length)] as Site['variants'][number]).id,
        severity: random.uniform(),
      }
    })
  })
  return faults.toSorted((x, y) => x.fromSeconds - y.fromSeconds)
}

/** Those of the fleet, as the plant takes them. */
export function failuresOf(faults: readonly Fault[], site: Site): readonly Failure[] {
  const failures = faults.flatMap(({ kind, fromSeconds, untilSeconds, variant, severity }): Failure[] => {
    switch (kind) {
      case 'podLoss':
        return [{ kind, atSeconds: fromSeconds, variant, replicas: severity < 2 / 3 ? 1 : 2 }]
      case 'slowPod':
        return [
          { kind, atSeconds: fromSeconds, variant, factor: 1.5 + 1.5 * severity },
          { kind: 'podLoss', atSeconds: untilSeconds, variant, replicas: 1 },
        ]
      case 'poolFull':
        return Object.entries(site.pools).flatMap(([pool, gpus]): Failure[] => [
          { kind: 'foreignPods', atSeconds: fromSeconds, pool, gpus },
          { kind: 'foreignPodsGone', atSeconds: untilSeconds, pool },
        ])
      default:
        return []
    }
  })
  return failures.toSorted((x, y) => x.atSeconds - y.atSeconds)
}

/** What is wrong at this second. */
export function active(faults: readonly Fault[], kind: FaultKind, second: number): Fault | undefined {
  return faults.find(
    (fault) => fault.kind === kind && fault.fromSeconds <= second && second < fault.untilSeconds,
  )
}
