// One backtest from its settings: the site, the plant of the fidelity that is asked for, the controller, the loop.
import type { PolicySet, VariantId } from '../core/policy.ts'
import type { Tools } from '../core/tools.ts'
import type { Routing } from '../simulation/router.ts'
import type { TransferTime } from '../simulation/transfers.ts'
import type { ControllerOf } from './controller.ts'
import { FluidPlant } from './fluid/fluidPlant.ts'
import type { Failure, Plant, PlantTiming } from './plant.ts'
import { RequestPlant } from './requestPlant.ts'
import type { Result, ResultSettings } from './result.ts'
import { run } from './run.ts'
import { ServiceBook } from './serviceBook.ts'
import { type Site, siteOf } from './site.ts'
import { busiest, sizedFor } from './sized.ts'
import { requestsOf } from './traffic/requests.ts'
import { stepsOf } from './traffic/steps.ts'
import type { Traffic } from './traffic/traffic.ts'

export interface Setup extends Omit<ResultSettings, 'untilSeconds'> {
  readonly policies: PolicySet
  readonly traffic: Traffic
  readonly tools: Tools
  readonly controllerOf: ControllerOf
  readonly plant: PlantSettings
}

export interface PlantSettings {
  readonly scrapeSeconds: number
  readonly decisionSeconds: number
  readonly routing: Routing
  readonly transfer: TransferTime
  readonly failures: readonly Failure[]
}

/** 15 s scrapes, 2 s from a look to an answer, shortest queue; KV over a 25 GB/s link at 160 KB a token. */
export const defaultPlant: PlantSettings = {
  scrapeSeconds: 15,
  decisionSeconds: 2,
  routing: 'joinShortestQueue',
  transfer: { baseSeconds: 0.01, secondsPerToken: 6.4e-6 },
  failures: [],
}

export const defaultStepSeconds = 5
const hpaTiming = { hpaSyncSeconds: 15, phaseSeconds: 7 }
/** 2026-01-01, on every grid of ticks: when traffic begins that does not tell. */
export const epochSeconds = 1_767_225_600
const drainSeconds = 1800
/** What a fleet begins with carries the busiest minute of the first ones. */
const firstSeconds = 300

/** Yields simulated seconds; returns the result. The same setup gives the same bytes. */
export function* backtest(setup: Setup): Generator<number, Result> {
  const { traffic, seed, tools, controllerOf } = setup
  const site = siteOf(setup.policies, setup)
  const settings = settingsOf(setup)
  const initial = sizedFor(site.policies, busiest(site, traffic, seed, firstSeconds), tools)
  const { decisionSeconds } = setup.plant
  const plant = plantOf(setup, site, initial)
  const controller = controllerOf(site)
  return yield* run({ site, plant, controller, settings, actuator: hpaTiming, decisionSeconds, drainSeconds })
}

function settingsOf(setup: Setup): ResultSettings {
  const { fidelity, seed, traffic, warmupSeconds, tickSeconds, stepSeconds, startupSeconds } = setup
  const { startupSigma, modelError, beginsAtSeconds } = setup
  return {
    ...{ fidelity, seed },
    ...(beginsAtSeconds === undefined ? {} : { beginsAtSeconds }),
    ...{ untilSeconds: traffic.untilSeconds, warmupSeconds, tickSeconds },
    ...(stepSeconds === undefined ? {} : { stepSeconds }),
    ...(startupSeconds === undefined ? {} : { startupSeconds }),
    ...{ startupSigma, modelError },
  }
}

type TrafficAndPlant =
  | 'traffic'
  | 'seed'
  | 'beginsAtSeconds'
  | 'fidelity'
  | 'stepSeconds'
  | 'warmupSeconds'
  | 'plant'

export function plantOf(
  setup: Pick<Setup, TrafficAndPlant>,
  site: Site,
  initial: Readonly<Record<VariantId, number>>,
): Plant {
  const { traffic, seed, fidelity, stepSeconds = defaultStepSeconds, warmupSeconds, plant } = setup
  const { routing, transfer, failures, scrapeSeconds } = plant
  const service = new ServiceBook(site.classes, traffic.untilSeconds, warmupSeconds)
  const timing: PlantTiming = { scrapeSeconds, epochSeconds: setup.beginsAtSeconds ?? epochSeconds }
  const common = { site, service, timing, transfer, failures, initial, seed }
  switch (fidelity) {
    case 'request':
      return new RequestPlant({ ...common, routing, requests: requestsOf(traffic, seed) })
    case 'fluid': {
      const sourceClasses = traffic.sources.map(({ classIndex }) => classIndex)
      return new FluidPlant({
        ...common,
        stepSeconds,
        sourceClasses,
        steps: stepsOf(traffic, stepSeconds, seed),
      })
    }
  }
}
