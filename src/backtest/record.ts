// What is written down while a backtest runs: one entry per minute for the report, and what is counted as it happens.
import type { VariantId } from '../core/policy.ts'
import type { Told } from './controller.ts'
import type { Plant, Spent } from './plant.ts'
import type { Events, MinuteDecision, MinuteSeries } from './result.ts'
import type { Site } from './site.ts'
import { WorstDecisions } from './worstDecisions.ts'

export interface VariantEvents {
  scaleUps: number
  scaleDowns: number
  started: number
  stopped: number
}

type Column<T> = T[]

export class Recorder {
  readonly events: Readonly<Record<VariantId, VariantEvents>>
  private readonly site: Site
  private readonly warmupSeconds: number
  private readonly dollarsPerHour: Column<number> = []
  private readonly classes: Readonly<
    Record<string, { readonly forecast: Column<number | null>; readonly unfinished: Column<number> }>
  >
  private readonly variants: Readonly<
    Record<
      VariantId,
      {
        readonly wanted: Column<number | null>
        readonly target: Column<number>
        readonly ready: Column<number>
        readonly starting: Column<number>
      }
    >
  >
  private readonly worst: WorstDecisions
  private dollarsBefore = 0
  private secondsBefore = 0

  constructor(site: Site, warmupSeconds: number) {
    this.site = site
    this.warmupSeconds = warmupSeconds
    this.worst = new WorstDecisions(site.classes.length)
    this.events = Object.fromEntries(
      site.variants.map(({ id }) => [id, { scaleUps: 0, scaleDowns: 0, started: 0, stopped: 0 }]),
    )
    this.classes = Object.fromEntries(site.classes.map(({ id }) => [id, { forecast: [], unfinished: [] }]))
    this.variants = Object.fromEntries(
      site.variants.map(({ id }) => [id, { wanted: [], target: [], ready: [], starting: [] }]),
    )
  }

  scaled(variant: VariantId, at: number, from: number, to: number): void {
    const events = this.events[variant]
    if (events === undefined || at < this.warmupSeconds) return
    if (to > from) {
      events.scaleUps++
      events.started += to - from
    } else {
      events.scaleDowns++
      events.stopped += from - to
    }
  }

  minute(plant: Plant, told: Told): void {
    const dollars = totalDollars(plant.spent())
    const seconds = plant.nowSeconds - this.secondsBefore
    this.dollarsPerHour.push(figure(((dollars - this.dollarsBefore) / seconds) * 3600))
    this.dollarsBefore = dollars
    this.secondsBefore = plant.nowSeconds
    const begins = this.dollarsPerHour.length
    if (begins * 60 >= this.warmupSeconds) this.worst.enter(begins, told.why, plant.service)
    for (const [classIndex, { id }] of this.site.classes.entries()) {
      const columns = this.classes[id]
      columns?.forecast.push(figureOrNull(told.forecast[id]))
      columns?.unfinished.push(figure(plant.service.unfinished(classIndex)))
    }
    for (const { id } of this.site.variants) {
      const { desired, ready, starting } = plant.counts(id)
      const columns = this.variants[id]
      columns?.wanted.push(told.wanted[id] ?? null)
      columns?.target.push(desired)
      columns?.ready.push(ready)
      columns?.starting.push(starting)
    }
  }

  decisions(plant: Plant): readonly MinuteDecision[] {
    const minutes = this.dollarsPerHour.length
    return this.worst.decisions(plant.service).filter(({ minute }) => minute < minutes)
  }

  series(plant: Plant): MinuteSeries {
    const minutes = this.dollarsPerHour.length
    return {
      dollarsPerHour: this.dollarsPerHour,
      classes: Object.fromEntries(
        this.site.classes.map(({ id }, classIndex) => {
          const { arrived, good } = plant.service.classOf(classIndex).minutes
          const columns = this.classes[id]
          return [
            id,
            {
              demand: Array.from(arrived.subarray(0, minutes), (requests) => figure(requests / 60)),
              forecast: columns?.forecast ?? [],
              attainment: Array.from(arrived.subarray(0, minutes), (requests, minute) =>
                requests > 0 ? figure((good[minute] ?? 0) / requests) : null,
              ),
              unfinished: columns?.unfinished ?? [],
            },
          ]
        }),
      ),
      variants: this.variants,
    }
  }

  allEvents(): Events {
    const sum = (of: (events: VariantEvents) => number): number =>
      Object.values(this.events).reduce((total, events) => total + of(events), 0)
    return {
      scaleUps: sum(({ scaleUps }) => scaleUps),
      scaleDowns: sum(({ scaleDowns }) => scaleDowns),
      replicasStarted: sum(({ started }) => started),
      replicasStopped: sum(({ stopped }) => stopped),
    }
  }
}

export function totalDollars(spent: Readonly<Record<VariantId, Spent>>): number {
  return Object.values(spent).reduce((sum, { dollars }) => sum + dollars, 0)
}

/** Six digits: more is noise, and a series of two weeks has 20,000 entries. */
export function figure(value: number): number {
  return Number(value.toPrecision(6))
}

function figureOrNull(value: number | undefined): number | null {
  return value === undefined ? null : figure(value)
}
