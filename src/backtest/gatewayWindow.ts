// What a gateway would answer to the queries of a policy's author: requests per second of a class, and the tokens of
// its requests that are not done. Classes whose demand is read from the engines are not asked about.
import type { ClassSignals, GatewaySignals } from '../core/observation.ts'
import { defaultObserveOptions } from '../core/observe/queries.ts'
import type { ClassId, DemandSource } from '../core/policy.ts'
import { isMissing, missing, type Reading } from '../core/reading.ts'
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

  counted(classIndex: number): GatewaySignals['counted'] {
    return (this.arrivals[classIndex] ?? 0) > 0 ? 'some' : 'none'
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
      const classIndex = classes.findIndex((known) => known.id === id)
      const signals = signalsOf(demand, gateway, classIndex, at)
      return signals === undefined ? [] : [[id, signals] as const]
    }),
  )
}

function signalsOf(
  demand: DemandSource,
  gateway: GatewayWindow,
  classIndex: number,
  at: number,
): ClassSignals | undefined {
  const arriving = gateway.requestsPerSecond(classIndex, at)
  switch (demand.kind) {
    case 'engine':
      return undefined
    case 'query':
      return {
        ...(demand.requestsPerSecond === undefined ? {} : { requestsPerSecond: arriving }),
        ...(demand.backlogTokens === undefined ? {} : { backlogTokens: gateway.backlogTokens(classIndex) }),
      }
    // As a gateway that counts requests when they arrive: none waits uncounted, none is turned away.
    case 'gateway':
      return {
        gateway: isMissing(arriving) ? arriving : gatewaySignals(arriving, gateway.counted(classIndex)),
      }
  }
}

function gatewaySignals(passedPerSecond: number, counted: GatewaySignals['counted']): GatewaySignals {
  const untold = missing('notReported', 'the simulated gateway does not measure it')
  return {
    passedPerSecond,
    ...{ rejectedPerSecond: 0, queued: 0, queueGrowthPerSecond: 0 },
    counted,
    ...{ arrivingNow: untold, promptTokens: untold, outputTokens: untold },
  }
}
