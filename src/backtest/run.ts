// One backtest: a plant under a controller, on a virtual clock. Everything happens at whole instants in a fixed order,
// so that a seed says everything: time passes, the controller speaks, KEDA and the HPA act, minutes are written down.
import { Actuator, type ActuatorTiming } from './actuator.ts'
import type { Controller, Told } from './controller.ts'
import type { Plant } from './plant.ts'
import { Recorder, totalDollars } from './record.ts'
import type { Result, ResultSettings } from './result.ts'
import { resultOf } from './score.ts'
import type { Site } from './site.ts'
import { SpendingBook } from './spendingBook.ts'

export interface RunOptions {
  readonly site: Site
  readonly plant: Plant
  readonly controller: Controller
  readonly settings: ResultSettings
  readonly actuator: ActuatorTiming
  /** From a controller's look at the metrics to its answer being there for KEDA. */
  readonly decisionSeconds: number
  /** After the traffic's end, for what is still in the system: no longer than this. */
  readonly drainSeconds: number
}

/** Yields the simulated seconds after every minute of them, for whoever shows progress or gives up. */
export function* run(options: RunOptions): Generator<number, Result> {
  const { plant, settings, drainSeconds } = options
  const stage = new Stage(options)
  const { untilSeconds, warmupSeconds } = settings
  yield* stage.play(warmupSeconds)
  const before = plant.spent()
  stage.spending.begin(warmupSeconds, totalDollars(before))
  yield* stage.play(untilSeconds)
  const after = plant.spent()
  const spending = stage.spending.until(untilSeconds, totalDollars(after))
  for (
    let at = untilSeconds + 60;
    at <= untilSeconds + drainSeconds && someUnfinished(plant, options.site);
    at += 60
  )
    yield* stage.play(at)
  return resultOf({
    site: options.site,
    service: plant.service,
    controller: options.controller.name,
    settings,
    before,
    after,
    ...(spending === undefined ? {} : { spending }),
    // After the drain: what arrived in the last minute has its outcome by now.
    minutes: stage.recorder.series(plant),
    decisions: stage.recorder.decisions(plant),
    recorder: stage.recorder,
  })
}

const silence: Told = { signals: {}, wanted: {}, forecast: {} }

class Stage {
  readonly recorder: Recorder
  readonly spending = new SpendingBook()
  private readonly options: RunOptions
  private readonly actuators: readonly Actuator[]
  private told: Told = silence
  private saying: { readonly at: number; readonly told: Told } | undefined = undefined
  private nextStep: number
  private nextMinute = 60

  constructor(options: RunOptions) {
    const { site, controller, settings, actuator } = options
    this.options = options
    this.recorder = new Recorder(site, settings.warmupSeconds)
    this.actuators = site.variants.map(
      (variant) => new Actuator(variant, controller.actuation(variant), actuator),
    )
    this.nextStep = controller.intervalSeconds
  }

  *play(untilSeconds: number): Generator<number> {
    const { plant, controller, decisionSeconds, settings } = this.options
    while (plant.nowSeconds < untilSeconds) {
      const due = Math.min(...this.actuators.map(({ dueSeconds }) => dueSeconds))
      const at = Math.min(untilSeconds, this.nextStep, this.nextMinute, this.saying?.at ?? Infinity, due)
      plant.advance(at)
      if (this.saying !== undefined && this.saying.at <= at) {
        this.told = this.saying.told
        this.saying = undefined
        this.act(at, 'told')
      }
      if (due <= at) this.act(at, 'due')
      if (this.nextStep <= at) {
        this.nextStep += controller.intervalSeconds
        const told = controller.step(plant.observe())
        this.saying = { at: at + decisionSeconds, told }
        // Of the warm-up, only what is in force at its end counts.
        if (this.nextStep > settings.warmupSeconds && at < settings.untilSeconds)
          this.spending.decided(at, told.layers?.(), () => totalDollars(plant.spent()))
      }
      if (this.nextMinute > at) continue
      this.nextMinute += 60
      if (at <= settings.untilSeconds) this.recorder.minute(plant, this.told)
      yield at
    }
  }

  private act(at: number, event: 'told' | 'due'): void {
    const { plant } = this.options
    for (const actuator of this.actuators) {
      if (event === 'due' && actuator.dueSeconds > at) continue
      const { id } = actuator.variant
      const counts = plant.counts(id)
      const replicas = actuator.act(at, this.told.signals[id], counts, event)
      if (replicas === counts.desired) continue
      plant.scale(id, replicas)
      this.recorder.scaled(id, at, counts.desired, replicas)
    }
  }
}

function someUnfinished({ service }: Plant, { classes }: Site): boolean {
  return classes.some((_, classIndex) => service.unfinished(classIndex) > 1e-6)
}
