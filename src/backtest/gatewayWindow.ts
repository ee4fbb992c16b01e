// What a gateway would answer to the queries of a policy's author: requests per second of a class, and the tokens of
// its requests that are not done. Classes whose demand is read from the engines are not asked about.
import type { ClassSignals } from '../core/observation.ts'
import { defaultObserveOptions } from '../core/observe/queries.ts'
import type { ClassId } from '../core/policy.ts'
import { missing, type Reading } from '../core/reading.ts'
import { rate, type Sample } from '../simulation/seriesRate.ts'
import type { Site } from './site.ts'

const { rateWindowSeconds } = defaultObserveOptions

export class GatewayWindow {
  private readonly arrivals: Float64Array
  private readonly backlog: Float64Array
  private readonly samples: Sample[][]

  constructor(classes: number) {
    this.arrivals = new Float64Array(classes)
    this.backlog = new Float64Array(classes)
    this.samples = Array.from({ length: classes }, () => [])
  }

  arrived(classIndex: number, requests: number, outputTokens: number): void {
    this.arrivals[classIndex] = (this.arrivals[classIndex] ?? 0) + requests
    this.backlog[classIndex] = (this.backlog[classIndex] ?? 0) + outputTokens
  }

  finished(classIndex: number, outputTokens: number): void {
    this.backlog[classIndex] = (this.backlog[classIndex] ?? 0) - outputTokens
  }

  scraped(at: number): void {
    for (const [classIndex, samples] of this.samples.entries()) {
      samples.push({ at, value: this.arrivals[classIndex] ?? 0 })
      while ((samples[0]?.at ?? at) <= at - 2 * rateWindowSeconds) samples.shift()
    }
  }

  requestsPerSecond(classIndex: number, at: number): Reading {
    const from = at - rateWindowSeconds
    const inside = (this.samples[classIndex] ?? []).filter((sample) => sample.at > from && sample.at <= at)
    return rate(inside, from, at) ?? missing('noSeries', 'requests at the gateway')
  }

  backlogTokens(classIndex: number): number {
    return Math.max(0, this.backlog[classIndex] ?? 0)
  }
}

export function classSignals(
  { policies, classes }: Site,
  gateway: GatewayWindow,
  at: number,
): Readonly<Record<ClassId, ClassSignals>> {
  const stated = policies.policies.flatMap((policy) => policy.classes)
  return Object.fromEntries(
    stated.flatMap(({ id, demand }) => {
      if (demand.kind === 'engine') return []
      const classIndex = classes.findIndex((known) => known.id === id)
      return [
        [
          id,
          {
            ...(demand.requestsPerSecond === undefined
              ? {}
              : { requestsPerSecond: gateway.requestsPerSecond(classIndex, at) }),
            ...(demand.backlogTokens === undefined
              ? {}
              : { backlogTokens: gateway.backlogTokens(classIndex) }),
          },
        ] as const,
      ]
    }),
  )
}
