// The demo's clock: everything that happens lies on one virtual time line, in a fixed order, so that a seed says
// everything and a slow machine changes nothing but the length of the show.
import type { Decision } from '../core/decision.ts'
import { isMissing } from '../core/reading.ts'
import type { World } from '../simulation/world.ts'
import type { KedaDriver } from './kedaDriver.ts'
import type { Recent, Service, Watch } from './watch.ts'

export interface Stage {
  readonly world: World
  readonly watch: Watch
  /** Scrapes the pods at the world's present. */
  readonly scrape: () => void
  /** The scaler's tick for this virtual time; undefined where it failed. */
  readonly tick: (atSeconds: number) => Promise<Decision | undefined>
  readonly driver: KedaDriver
}

/** One step of the show. */
export interface Frame {
  readonly atSeconds: number
  readonly recent: Recent
  readonly variants: readonly VariantFrame[]
  /** Dollars per hour for all pods there are, and dollars so far. */
  readonly costPerHour: number
  readonly cost: number
  readonly service: Service
  /** The last decision; absent before the first. */
  readonly decision?: Decision
}

export interface VariantFrame {
  /** The Deployment's name. */
  readonly name: string
  readonly ready: number
  readonly starting: number
  readonly terminating: number
}

const stepSeconds = 5
const scrapeSeconds = 10
const tickSeconds = 15

/** Plays until `untilSeconds`; ends early where the consumer stops taking frames. */
export async function* play(stage: Stage, untilSeconds: number): AsyncGenerator<Frame> {
  let decision: Decision | undefined
  for (let at = stepSeconds; at <= untilSeconds; at += stepSeconds) {
    stage.world.advance(at)
    if (at % scrapeSeconds === 0) stage.scrape()
    if (at % tickSeconds === 0) decision = (await stage.tick(at)) ?? decision
    // ScaledObjects come after the scaler: until it has seen two scrapes it answers UNAVAILABLE.
    if (decision !== undefined && isComplete(decision)) await stage.driver.step(at)
    yield frameAt(stage, at, decision)
  }
}

function isComplete({ policies }: Decision): boolean {
  return policies.every(({ variants }) => variants.every(({ target }) => !isMissing(target)))
}

function frameAt({ world, watch }: Stage, atSeconds: number, decision: Decision | undefined): Frame {
  const { fleet } = world
  const variants = fleet.settings.variants.map(({ name }) => ({ name, ...fleet.counts(name) }))
  return {
    atSeconds,
    recent: watch.recent(atSeconds, fleet.gatewayArrived),
    variants,
    costPerHour: fleet.pods().reduce((sum, { variant }) => sum + variant.costPerHour, 0),
    cost: costOf(world),
    service: watch.service,
    ...(decision === undefined ? {} : { decision }),
  }
}

/** Dollars so far. */
export function costOf({ fleet }: World): number {
  return Object.values(fleet.cost()).reduce((sum, dollars) => sum + dollars, 0)
}
