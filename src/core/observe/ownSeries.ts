// What this scaler told others and saw, read back from its own metrics: a server that starts learns from them what
// was decided last, what other servers tell KEDA now, and which replicas Kubernetes showed at instants that Kubernetes itself forgets.
import type { RecordedSpeed } from '../calibrate/calibrate.ts'
import type { HeadroomMemory } from '../feedback/feedback.ts'
import type { Observation, ReplicaCounts, VariantSignals } from '../observation.ts'
import type { ClassId, PolicyId, VariantId } from '../policy.ts'
import { isMissing, type Missing, missing, type Reading } from '../reading.ts'
import { groupBy } from './group.ts'
import { labelOf, type Row } from './series.ts'

const target = 'mixscaler_target_replicas'
const available = 'mixscaler_target_available'
const wanted = 'mixscaler_wanted_replicas'
const spareSince = 'mixscaler_spare_since_timestamp_seconds'
const current = 'mixscaler_current_replicas'
const states = ['desired', 'ready', 'starting', 'terminating'] as const

/** Labels in both spellings: without `honorLabels` Prometheus renames ours. Several servers say the same. */
const labels = 'namespace, exported_namespace, policy, variant'

const decidedAt = 'mixscaler_decision_timestamp_seconds'
const pastRead = 'mixscaler_past_read'
const policiesDigest = 'mixscaler_policies_digest'
const headroom = 'mixscaler_headroom_memory_ratio'
const usual = 'mixscaler_headroom_usual_requests_per_second'

const speed = {
  profile: 'mixscaler_profile_digest',
  ratio: 'mixscaler_profile_time_ratio',
  correction: 'mixscaler_profile_correction_ratio',
  overhead: 'mixscaler_profile_overhead_seconds',
  offSince: 'mixscaler_profile_off_since_timestamp_seconds',
} as const

/** What is read of a server's last decision. */
export const lastDecidedMetrics: readonly string[] = [
  decidedAt,
  pastRead,
  target,
  wanted,
  spareSince,
  headroom,
  usual,
  ...Object.values(speed),
]

/** What a server emitted last, and learnt by then. */
export interface LastDecided {
  /** The tick of that decision, where it is told. */
  readonly at?: number
  readonly targets: Readonly<Record<VariantId, number>>
  /** What its plan wanted. */
  readonly wanted: Readonly<Record<VariantId, number>>
  readonly spareSince: Readonly<Record<PolicyId, number>>
  readonly headrooms: Readonly<Record<ClassId, RecordedHeadroom>>
  readonly speeds: Readonly<Record<VariantId, RecordedSpeed>>
}

type RecordedHeadroom = Pick<HeadroomMemory, 'learnt' | 'spent' | 'lost' | 'reserve' | 'usual'>

export const nothingDecided: LastDecided = {
  targets: {},
  wanted: {},
  spareSince: {},
  headrooms: {},
  speeds: {},
}

export function lastDecidedQuery(matchers: Readonly<Record<string, string>>): string {
  return anyOf(lastDecidedMetrics, matchers)
}

/** What a server that rests on all of its past told KEDA last. */
export interface Told {
  /** The tick that it is of. */
  readonly at: number
  /** Digest of the policies that it was decided by. */
  readonly policies: number
  /** What KEDA gets an error for is missing; what is not on record is absent. */
  readonly targets: Readonly<Record<VariantId, Reading>>
}

export function toldQuery(matchers: Readonly<Record<string, string>>): string {
  return anyOf([decidedAt, pastRead, policiesDigest, target, available], matchers)
}

/** Of every server on record that rests on all of its past. */
export function toldBySettled(rows: readonly Row[]): readonly Told[] {
  return serversOf(rows).flatMap(({ read, at, only, named }) => {
    const policies = only(policiesDigest)
    return read === 1 && at !== undefined && policies !== undefined
      ? [{ at, policies, targets: { ...unavailable(named(available)), ...countsOf(named(target)) } }]
      : []
  })
}

/**
 * Of the servers on record, the one that decided last and rests on all of its past: all of what is taken is of one decision.
 */
export function lastDecided(rows: readonly Row[]): LastDecided {
  const [best] = [...serversOf(rows)].sort(
    (x, y) => descending(x.read, y.read) || descending(x.at, y.at) || (x.source < y.source ? -1 : 1),
  )
  if (best === undefined) return nothingDecided
  const { at, named } = best
  return {
    ...(at === undefined ? {} : { at }),
    targets: countsOf(named(target)),
    wanted: countsOf(named(wanted)),
    spareSince: Object.fromEntries(
      named(spareSince)
        .filter(({ value }) => Number.isFinite(value))
        .map((row) => [policyOf(row), row.value]),
    ),
    headrooms: recordedHeadrooms(named(headroom), named(usual)),
    speeds: recordedSpeeds(named),
  }
}

interface ServerOnRecord {
  /** Its labels. */
  readonly source: string
  readonly named: (name: string) => readonly Row[]
  /** Of a metric that it has once. */
  readonly only: (name: string) => number | undefined
  readonly read: number | undefined
  readonly at: number | undefined
}

function serversOf(rows: readonly Row[]): readonly ServerOnRecord[] {
  // The namespace is that of what runs in it, or of the server: it tells no two servers apart.
  const own = ['__name__', 'namespace', 'exported_namespace', 'policy', 'variant', 'class', 'of']
  const sourceOf = ({ labels: all }: Row): string =>
    JSON.stringify(
      Object.entries(all)
        .filter(([name]) => !own.includes(name))
        .sort(([x], [y]) => (x < y ? -1 : 1)),
    )
  return [...groupBy(rows, sourceOf)].map(([source, of]) => {
    const byName = groupBy(of, (row) => labelOf(row, '__name__'))
    const named = (name: string): readonly Row[] => byName.get(name) ?? []
    const only = (name: string): number | undefined => {
      const value = named(name)[0]?.value
      return Number.isFinite(value) ? value : undefined
    }
    return { source, named, only, read: only(pastRead), at: only(decidedAt) }
  })
}

/** What is not known comes last. */
function descending(x = Number.NEGATIVE_INFINITY, y = Number.NEGATIVE_INFINITY): number {
  return x === y ? 0 : y > x ? 1 : -1
}

function recordedHeadrooms(rows: readonly Row[], usuals: readonly Row[]): LastDecided['headrooms'] {
  const found: Record<ClassId, Partial<Record<string, number>>> = {}
  const enter = (row: Row, of: string): void => {
    const id = `${policyOf(row)}/${labelOf(row, 'class')}`
    if (Number.isFinite(row.value)) found[id] = { ...found[id], [of]: row.value }
  }
  for (const row of rows) enter(row, labelOf(row, 'of'))
  for (const row of usuals) enter(row, 'usual')
  return Object.fromEntries(
    Object.entries(found).flatMap(([id, { learnt, spent, lost, reserve, usual: perSecond }]) =>
      learnt === undefined || spent === undefined || lost === undefined || reserve === undefined
        ? []
        : [[id, { learnt, spent, lost, reserve, ...(perSecond === undefined ? {} : { usual: perSecond }) }]],
    ),
  )
}

/** Of every variant whose profile is on record; one of which no speed is had learnt none. */
function recordedSpeeds(named: (name: string) => readonly Row[]): LastDecided['speeds'] {
  const byVariant = (name: string, of = ''): ReadonlyMap<VariantId, number> =>
    new Map(
      named(name)
        .filter((row) => labelOf(row, 'of') === of && Number.isFinite(row.value))
        .map((row) => [variantOf(row), row.value]),
    )
  const ratios = byVariant(speed.ratio)
  const bases = byVariant(speed.correction, 'base')
  const slopes = byVariant(speed.correction, 'slopes')
  const overheads = byVariant(speed.overhead)
  const offSinces = byVariant(speed.offSince)
  const learntOf = (id: VariantId): Pick<RecordedSpeed, 'learnt'> => {
    const [ratio, base, slope] = [ratios.get(id), bases.get(id), slopes.get(id)]
    const [overheadSeconds, offSince] = [overheads.get(id), offSinces.get(id)]
    if (ratio === undefined || base === undefined || slope === undefined || overheadSeconds === undefined)
      return {}
    // Overheads are whole milliseconds.
    const applied = { base, slopes: slope, overheadMs: Math.round(1000 * overheadSeconds) }
    return { learnt: { applied, ratio, ...(offSince === undefined ? {} : { offSince }) } }
  }
  return Object.fromEntries(
    [...byVariant(speed.profile)].map(([id, profile]) => [id, { profile, ...learntOf(id) }]),
  )
}

/**
 * So many seconds after a tick a scrape may show what was seen at it: a decision takes a moment, and the next one takes its
 * place. One of both finds it where servers are scraped at least every 15 s, or every 30 s while ticks are as far apart.
 */
export const recordedWithinSeconds: readonly number[] = [15, 30]

/** At an instant, what servers saw at that very tick; where no scrape shows it, what was on record by then. */
export function replicasQuery(matchers: Readonly<Record<string, string>>): string {
  const all = selector(matchers)
  const highest = `max by (${labels}, state)`
  const ofTheTick = recordedWithinSeconds.map((later) => {
    const decided = `${decidedAt}${all} offset -${later}s == time()`
    return `${highest} (${current}${all} offset -${later}s and ignoring (${labels}, state) (${decided}))`
  })
  return [...ofTheTick, `${highest} (${current}${all})`].join(' or ')
}

function countsOf(rows: readonly Row[]): Readonly<Record<VariantId, number>> {
  const counts = rows.filter(({ value }) => Number.isInteger(value) && value >= 0)
  return Object.fromEntries(counts.map((row) => [variantOf(row), row.value]))
}

function unavailable(rows: readonly Row[]): Readonly<Record<VariantId, Missing>> {
  const none = rows.filter(({ value }) => value === 0)
  return Object.fromEntries(none.map((row) => [variantOf(row), missing('noSeries')]))
}

export function recordedReplicas(rows: readonly Row[]): Readonly<Record<VariantId, ReplicaCounts>> {
  const counts: Record<VariantId, Partial<Record<string, number>>> = {}
  for (const row of rows)
    counts[variantOf(row)] = { ...counts[variantOf(row)], [labelOf(row, 'state')]: row.value }
  return Object.fromEntries(
    Object.entries(counts).flatMap(([id, of]) => {
      const [desired, ready, starting, terminating] = states.map((state) => of[state])
      return desired === undefined ||
        ready === undefined ||
        starting === undefined ||
        terminating === undefined
        ? []
        : [[id, { desired, ready, starting, terminating }]]
    }),
  )
}

/**
 * A past observation with the replicas of its time. Without a record of them, what reported metrics then is counted,
 * and a variant that reported nothing and has nothing now is taken to have had nothing.
 */
export function withReplicas(
  observation: Observation,
  recorded: Readonly<Record<VariantId, ReplicaCounts>>,
  now: Readonly<Record<VariantId, Reading<ReplicaCounts>>>,
): Observation {
  const replicasOf = (id: VariantId, { replicas }: VariantSignals): Reading<ReplicaCounts> => {
    const known = recorded[id]
    if (known !== undefined || !isMissing(replicas)) return known ?? replicas
    const present = now[id] ?? missing('noSeries')
    const nothing = !isMissing(present) && present.desired + present.ready + present.starting === 0
    return replicas.missing === 'noSeries' && nothing ? present : replicas
  }
  return {
    ...observation,
    variants: Object.fromEntries(
      Object.entries(observation.variants).map(([id, signals]) => [
        id,
        { ...signals, replicas: replicasOf(id, signals) },
      ]),
    ),
  }
}

function variantOf(row: Row): VariantId {
  return `${policyOf(row)}/${labelOf(row, 'variant')}`
}

function policyOf(row: Row): PolicyId {
  const exported = labelOf(row, 'exported_namespace')
  const namespace = exported === '' ? labelOf(row, 'namespace') : exported
  return `${namespace}/${labelOf(row, 'policy')}`
}

function selector(matchers: Readonly<Record<string, string>>): string {
  const terms = termsOf(matchers)
  return terms.length === 0 ? '' : `{${terms.join(', ')}}`
}

function anyOf(metrics: readonly string[], matchers: Readonly<Record<string, string>>): string {
  return `{${[`__name__=~"${metrics.join('|')}"`, ...termsOf(matchers)].join(', ')}}`
}

function termsOf(matchers: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(matchers).map(([label, value]) => `${label}=${JSON.stringify(value)}`)
}
