// The ten minutes in which most requests broke their SLO, and what the series say about why: what was foreseen, what was
// asked for and not yet there, what had no room, and the reasons of the decision then in force. Only facts of that minute: no cause is guessed.
import type { ClassMinutes, MinuteDecision, MinuteSeries, VariantMinutes } from '../../backtest/result.ts'
import { rounded } from '../../core/explain/alternatives.ts'
import type { PolicySet } from '../../core/policy.ts'
import { rate } from '../figures.ts'
import { gpusHeld } from './poolUse.ts'

export interface WorstMinute {
  /** Seconds since the epoch. */
  readonly at: number
  /** The class that lost most. */
  readonly class: string
  /** Of all classes: requests of this minute that were not within their bounds. */
  readonly lateRequests: number
  /** 0..1, of that class. */
  readonly attainment: number
  /** Requests per second of that class, and as foreseen; null where nothing was. */
  readonly demand: number
  readonly forecast: number | null
  readonly reasons: readonly string[]
  /** Why the decision that was in force as the minute began was as it was; empty where the rule gives no reasons. */
  readonly decided: readonly string[]
}

const shown = 10
/** Less is a rounding of shares. */
const leastLate = 0.05

export function worstMinutes(
  { classes, variants }: MinuteSeries,
  policies: PolicySet,
  fromMinute: number,
  epochSeconds: number,
  decisions: readonly MinuteDecision[] = [],
): readonly WorstMinute[] {
  const late = new Map<number, number>()
  for (const series of Object.values(classes))
    for (const minute of series.demand.keys())
      if (minute >= fromMinute) late.set(minute, (late.get(minute) ?? 0) + lateIn(series, minute))
  const held = gpusHeld(
    variants,
    policies.policies.flatMap((policy) => policy.variants),
  )
  return [...late]
    .filter(([, requests]) => requests >= leastLate)
    .sort(([x, one], [y, other]) => other - one || x - y)
    .slice(0, shown)
    .flatMap(([minute, lateRequests]) => {
      const [worst] = Object.entries(classes).sort(([, x], [, y]) => lateIn(y, minute) - lateIn(x, minute))
      if (worst === undefined) return []
      const [id, series] = worst
      const decision = decisions.find((each) => each.minute === minute)
      return [
        {
          at: epochSeconds + minute * 60,
          class: id,
          lateRequests: rounded(lateRequests),
          attainment: series.attainment[minute] ?? 1,
          demand: rounded(series.demand[minute] ?? 0),
          forecast: series.forecast[minute] ?? null,
          reasons: reasonsOf(minute, id, series, { variants, held, policies }),
          decided: decision?.why[id.slice(0, id.lastIndexOf('/'))] ?? [],
        },
      ]
    })
}

function lateIn({ demand, attainment }: ClassMinutes, minute: number): number {
  const kept = attainment[minute]
  return kept === null || kept === undefined ? 0 : 60 * (demand[minute] ?? 0) * (1 - kept)
}

interface Around {
  readonly variants: MinuteSeries['variants']
  readonly held: ReadonlyMap<string, readonly number[]>
  readonly policies: PolicySet
}

function reasonsOf(
  minute: number,
  id: string,
  series: ClassMinutes,
  { variants, held, policies }: Around,
): readonly string[] {
  const policy = policies.policies.find(({ classes }) => classes.some((each) => each.id === id))
  const name = id.slice(id.lastIndexOf('/') + 1)
  const serving = (policy?.variants ?? []).filter(
    ({ classes }) => classes === undefined || classes.includes(name),
  )
  const reasons = [
    ...demandReasons(minute, series),
    ...serving.flatMap(({ id: variant, name: called }) => replicaReasons(called, variants[variant], minute)),
    ...[...new Set(serving.map(({ pool }) => pool))].flatMap((pool) => {
      const gpus = policies.pools.find((each) => each.name === pool)?.gpus
      const used = held.get(pool)?.[minute] ?? 0
      return gpus !== undefined && used >= gpus ? [`pool ${pool} is full: ${used} of ${gpus} GPUs`] : []
    }),
  ]
  if (reasons.length > 0) return reasons
  const inSystem = Math.round(series.unfinished[minute] ?? 0)
  return [
    `demand was as foreseen and every replica that was wanted was ready; ${inSystem} requests were in the system`,
  ]
}

/** How far the level of a moment ago is searched, and how much more of it is worth a word. */
const lookBackMinutes = 5
const jump = 1.1

function demandReasons(minute: number, { demand, forecast, unfinished }: ClassMinutes): readonly string[] {
  const now = demand[minute] ?? 0
  const foreseen = forecast[Math.max(0, minute - 1)] ?? null
  const before = demand[Math.max(0, minute - lookBackMinutes)] ?? 0
  const waiting = unfinished[minute] ?? 0
  const waitedBefore = unfinished[Math.max(0, minute - lookBackMinutes)] ?? 0
  return [
    ...(foreseen !== null && now > foreseen
      ? [`${rate(now)} req/s came, ${rate(foreseen)} were foreseen a minute before`]
      : []),
    ...(now > before * jump
      ? [`demand rose from ${rate(before)} to ${rate(now)} req/s within ${lookBackMinutes} min`]
      : []),
    ...(waiting > waitedBefore * jump + 1
      ? [`requests in the system rose from ${Math.round(waitedBefore)} to ${Math.round(waiting)}`]
      : []),
  ]
}

function replicaReasons(name: string, series: VariantMinutes | undefined, minute: number): readonly string[] {
  if (series === undefined) return []
  const [ready = 0, starting = 0, target = 0] = [series.ready, series.starting, series.target].map(
    (column) => column[minute] ?? 0,
  )
  const wanted = series.wanted[minute] ?? null
  return [
    ...(starting > 0 ? [`${name}: ${ready} ready, ${starting} still starting`] : []),
    ...(starting === 0 && ready < target ? [`${name}: ${ready} ready of the ${target} asked for`] : []),
    ...(wanted !== null && target < wanted ? [`${name}: ${wanted} wanted, ${target} asked for`] : []),
  ]
}
