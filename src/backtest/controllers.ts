// The controllers that a backtest can run, by name. Each is made anew for a run, from what it may know beforehand.
import type { Tools } from '../core/tools.ts'
import type { Controller } from './controller.ts'
import { decideController, staticController } from './ours.ts'
import { shippedPeers } from './peers/peers.ts'
import type { Site } from './site.ts'
import { busiest, sizedFor } from './sized.ts'
import type { Traffic } from './traffic/traffic.ts'

export interface ControllerContext {
  readonly site: Site
  readonly tools: Tools
  readonly tickSeconds: number
  /** Hindsight: for what is sized once and for all. */
  readonly traffic: Traffic
  readonly seed: number
}

/** Ours: what reports are on. */
export const reviewedController = 'mixscaler'

export const controllers: Readonly<Record<string, (context: ControllerContext) => Controller>> = {
  mixscaler: ({ site, tools, tickSeconds }) => decideController(site, tools, tickSeconds),
  static: ({ site, tools, traffic, seed }) =>
    staticController(sizedFor(site.policies, busiest(site, traffic, seed, traffic.untilSeconds), tools)),
  ...Object.fromEntries(
    Object.entries(shippedPeers).map(([name, { controllerOf }]) => [
      name,
      ({ site }: ControllerContext) => controllerOf(site),
    ]),
  ),
}
