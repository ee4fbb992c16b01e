// What is asked of gateways: one query for all of them, whatever the number of policies, classes and pods. Its answer
// grows with models and with the label values that policies tell classes apart by.
import type { GatewayKind, GatewaySource, PolicySet, TrafficClass } from '../policy.ts'
import { type GatewayFamily, gatewayFamilies } from './gateways.ts'
import type { Part, SeriesQuery, SeriesRead } from './series.ts'
import { shortParts } from './shortRate.ts'

export interface GatewayClass {
  readonly trafficClass: TrafficClass
  readonly source: GatewaySource
  readonly servedNames: readonly string[]
  /** Of its gateway, the preferred one first. */
  readonly families: readonly GatewayFamily[]
}

/** Those of all queries (queries.ts). */
interface GatewayQueryOptions {
  readonly metricPrefix: string
  readonly matchers: Readonly<Record<string, string>>
  readonly rateWindowSeconds: number
  readonly lengthWindowSeconds: number
  readonly sampleMaxAgeSeconds: number
}

export function gatewayClasses({ policies }: PolicySet, metricPrefix: string): readonly GatewayClass[] {
  return policies.flatMap(({ classes, servedNames }) =>
    classes.flatMap((trafficClass) => {
      const source = trafficClass.demand
      if (source.kind !== 'gateway') return []
      return [{ trafficClass, source, servedNames, families: gatewayFamilies(source.gateway, metricPrefix) }]
    }),
  )
}

/** The parts, whatever the family, that say how much arrives. */
export const gatewayDemandParts = [
  ...['passed', 'total', 'newborn', 'rejected', 'rejectedTotal', 'rejectedNewborn'],
  ...['queued', 'queueGrowth', 'newestAt'],
] as const

/** Undefined where no class is read at a gateway. */
export function gatewayQuery(
  classes: readonly GatewayClass[],
  options: GatewayQueryOptions,
): SeriesQuery | undefined {
  if (classes.length === 0) return undefined
  const kinds = [...new Set(classes.map(({ source }) => source.gateway))].sort()
  const families = new Map<string, { family: GatewayFamily; labels: readonly string[] }>()
  for (const kind of kinds) {
    for (const family of gatewayFamilies(kind, options.metricPrefix)) {
      const known = families.get(family.name)?.labels ?? []
      families.set(family.name, { family, labels: [...known, ...matchedLabels(classes, kind)] })
    }
  }
  return {
    id: 'gateways',
    parts: [...families.values()].flatMap(({ family, labels }) => partsOf(family, labels, options)),
    groupings: [{ labels: [], patterns: [] }],
    namespaces: [...new Set(classes.map(({ source }) => source.namespace))].sort(),
    matchers: options.matchers,
  }
}

function matchedLabels(classes: readonly GatewayClass[], kind: GatewayKind): readonly string[] {
  const matches = classes.filter(({ source }) => source.gateway === kind).map(({ source }) => source.match)
  return matches.flatMap((match) => Object.keys(match)).sort()
}

function partsOf(
  family: GatewayFamily,
  matched: readonly string[],
  { rateWindowSeconds, lengthWindowSeconds, sampleMaxAgeSeconds }: GatewayQueryOptions,
): readonly Part[] {
  const told = [...new Set([...family.modelLabels, ...matched])]
  const part = (name: string, read: SeriesRead, also: readonly string[] = []): Part => ({
    name: `${family.name}/${name}`,
    read,
    distinct: [...new Set([...family.labels, ...matched, ...also])],
    fold: 'max',
    aggregate: 'sum',
    keep: [...told, ...also],
    groups: [],
  })
  const newest = (metric: string): SeriesRead => {
    return { kind: 'newest', metrics: [metric], maxAgeSeconds: sampleMaxAgeSeconds }
  }
  const newborn = (metric: string): SeriesRead => {
    const windows = { windowSeconds: rateWindowSeconds, maxAgeSeconds: sampleMaxAgeSeconds }
    return { kind: 'newborn', metrics: [metric], ...windows }
  }
  const rate = (metric: string, windowSeconds = rateWindowSeconds): SeriesRead => {
    return { kind: 'rate', metrics: [metric], windowSeconds }
  }
  const lengths = (name: string, metric: string | undefined): readonly Part[] =>
    metric === undefined
      ? []
      : [
          part(`${name}Buckets`, rate(`${metric}_bucket`, lengthWindowSeconds), ['le']),
          part(`${name}Sum`, rate(`${metric}_sum`, lengthWindowSeconds)),
          part(`${name}LatelySum`, rate(`${metric}_sum`)),
          part(`${name}LatelyCount`, rate(`${metric}_count`)),
        ]
  const { passed, rejected, queued, promptTokens, outputTokens, alive } = family
  return [
    part('passed', rate(passed)),
    part('total', newest(passed)),
    part('newborn', newborn(passed)),
    ...shortParts(rateWindowSeconds, (name, read) => part(name, read([passed]))),
    ...(rejected === undefined
      ? []
      : [
          part('rejected', rate(rejected.metric), [rejected.label]),
          part('rejectedTotal', newest(rejected.metric), [rejected.label]),
          part('rejectedNewborn', newborn(rejected.metric), [rejected.label]),
        ]),
    ...(queued === undefined
      ? []
      : [
          part('queued', newest(queued)),
          part('queueGrowth', { kind: 'slope', metrics: [queued], windowSeconds: rateWindowSeconds }),
        ]),
    ...lengths('promptTokens', promptTokens),
    ...lengths('outputTokens', outputTokens),
    {
      ...part('newestAt', { kind: 'newestAt', metrics: [...alive, passed] }),
      distinct: [],
      aggregate: 'max',
      keep: [],
    },
  ]
}
