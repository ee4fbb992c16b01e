// What each class's gateway says: rows of the one gateway query dealt out by namespace, model and the labels that the
// policy tells classes apart by. No rows for a class at a gateway that answers means that none of it has come.
import type { LengthHistogram } from '../histogram.ts'
import type { GatewaySignals } from '../observation.ts'
import type { ClassId } from '../policy.ts'
import { isMissing, missing, type Reading } from '../reading.ts'
import type { GatewayClass } from './gatewayQuery.ts'
import type { GatewayFamily } from './gateways.ts'
import { groupBy } from './group.ts'
import { type Answer, labelOf, partLabel, type Row } from './series.ts'
import { shortRate } from './shortRate.ts'
import { histogramOf, total } from './values.ts'

interface GatewayWindows {
  readonly rateWindowSeconds: number
  readonly lengthWindowSeconds: number
  readonly sampleMaxAgeSeconds: number
}

export function gatewaySignals(
  classes: readonly GatewayClass[],
  answer: Answer | undefined,
  at: number,
  windows: GatewayWindows,
): Readonly<Record<ClassId, Reading<GatewaySignals>>> {
  if (answer === undefined || answer.kind !== 'rows') {
    const why = missing('backendDown', answer?.why ?? 'query gateways was not asked')
    return Object.fromEntries(classes.map(({ trafficClass }) => [trafficClass.id, why]))
  }
  const byPart = groupBy(answer.rows, (row) => labelOf(row, partLabel))
  return Object.fromEntries(
    classes.map((one) => [one.trafficClass.id, signalsOf(one, byPart, at, windows)] as const),
  )
}

type ByPart = ReadonlyMap<string, readonly Row[]>

function signalsOf(
  one: GatewayClass,
  byPart: ByPart,
  at: number,
  windows: GatewayWindows,
): Reading<GatewaySignals> {
  for (const family of one.families) {
    const rows = (part: string): readonly Row[] =>
      (byPart.get(`${family.name}/${part}`) ?? []).filter((row) => isOf(one, family, row))
    if (['total', 'rejectedTotal', 'queued'].some((part) => rows(part).length > 0)) {
      return readFamily(family, rows, windows)
    }
  }
  const newest = one.families.flatMap(({ name }) =>
    (byPart.get(`${name}/newestAt`) ?? [])
      .filter((row) => labelOf(row, 'namespace') === one.source.namespace && Number.isFinite(row.value))
      .map(({ value }) => value),
  )
  if (newest.length === 0) return missing('noSeries', `a gateway in namespace ${one.source.namespace}`)
  const age = at - Math.max(...newest)
  return age > windows.sampleMaxAgeSeconds
    ? missing('stale', `newest sample of the gateway ${Math.round(age)} s old`)
    : nothingYet
}

const unmeasured = missing('idle', 'nothing has come yet')
const nothingYet: GatewaySignals = {
  passedPerSecond: 0,
  rejectedPerSecond: 0,
  queued: 0,
  queueGrowthPerSecond: 0,
  counted: 'none',
  arrivingNow: unmeasured,
  promptTokens: unmeasured,
  outputTokens: unmeasured,
}

/** Dynamo writes models in lower case. */
function isOf({ source, servedNames }: GatewayClass, { modelLabels }: GatewayFamily, row: Row): boolean {
  if (labelOf(row, 'namespace') !== source.namespace) return false
  const matches = Object.entries(source.match)
  if (!matches.every(([label, value]) => labelOf(row, label) === value)) return false
  if (matches.some(([label]) => modelLabels.includes(label))) return true
  const model = modelLabels.map((label) => labelOf(row, label)).find((value) => value !== '')
  return servedNames.some((name) => name.toLowerCase() === model?.toLowerCase())
}

function readFamily(
  { rejected, queued, promptTokens, outputTokens }: GatewayFamily,
  rows: (part: string) => readonly Row[],
  { rateWindowSeconds, lengthWindowSeconds }: GatewayWindows,
): Reading<GatewaySignals> {
  const passed = counterRate(rows('passed'), rows('newborn'), rateWindowSeconds, 'requests at the gateway')
  if (isMissing(passed)) return passed
  const turnedAway = (part: string): readonly Row[] =>
    rows(part).filter((row) => rejected?.values.includes(labelOf(row, rejected.label)))
  const rejectedPerSecond = counterRate(
    turnedAway('rejected'),
    turnedAway('rejectedNewborn'),
    rateWindowSeconds,
    'requests turned away',
  )
  if (isMissing(rejectedPerSecond)) return rejectedPerSecond
  const waiting = queued === undefined ? 0 : total(rows('queued'), 'requests queued', 'nonNegative')
  if (isMissing(waiting)) return waiting
  const growth = queued === undefined ? 0 : total(rows('queueGrowth'), 'growth of the queue', 'any')
  if (isMissing(growth)) return growth
  const lengths = (name: string, metric: string | undefined): Reading<LengthHistogram> => {
    if (metric === undefined) return missing('notReported', `${name} at the gateway`)
    const buckets = rows(`${name}Buckets`)
    if (buckets.length === 0) return missing('idle', `${name} at the gateway`)
    const histogram = histogramOf(buckets, rows(`${name}Sum`), `${name} at the gateway`)
    const eventsPerSecond = total(rows(`${name}LatelyCount`), name, 'nonNegative')
    const sumPerSecond = total(rows(`${name}LatelySum`), name, 'nonNegative')
    if (isMissing(histogram) || isMissing(eventsPerSecond) || isMissing(sumPerSecond)) return histogram
    const lately = { seconds: rateWindowSeconds, eventsPerSecond, sumPerSecond }
    return { ...histogram, seconds: lengthWindowSeconds, lately }
  }
  return {
    passedPerSecond: passed,
    rejectedPerSecond,
    queued: waiting,
    queueGrowthPerSecond: growth,
    counted: 'some',
    arrivingNow: shortRate(
      rateWindowSeconds,
      (part) => found(rows(part), part),
      (part) => most(rows(part), part),
    ),
    promptTokens: lengths('promptTokens', promptTokens),
    outputTokens: lengths('outputTokens', outputTokens),
  }
}

/**
 * A counter that is born with its first request begins at 1: its rate is 0, and that request may be the one that wakes the
 * fleet. So what newborn counters show has come within the window, unless it is more than one a second: then the gateway is
 * old and new to Prometheus, and without a rate yet nothing is known about now.
 */
function counterRate(
  rates: readonly Row[],
  newborn: readonly Row[],
  windowSeconds: number,
  name: string,
): Reading {
  const rate = total(rates, name, 'nonNegative')
  const begun = total(newborn, name, 'nonNegative')
  if (isMissing(rate)) return rate
  if (isMissing(begun)) return begun
  if (begun <= windowSeconds) return Math.max(rate, begun / windowSeconds)
  return rates.length > 0 ? rate : missing('noSeries', `${name}: too few samples within the window`)
}

function found(rows: readonly Row[], name: string): Reading {
  return rows.length === 0 ? missing('noSeries', name) : total(rows, name, 'nonNegative')
}

function most(rows: readonly Row[], name: string): Reading {
  const values = rows.map(({ value }) => value).filter(Number.isFinite)
  return values.length === 0 ? missing('noSeries', name) : Math.max(...values)
}
