// A peer's rule under a story: what it sees, step by step, and what it tells.

import type { Controller, Signal } from '../../../src/backtest/controller.ts'
import type { Configuration } from '../../../src/backtest/peers/peer.ts'
import { type Site, siteOf } from '../../../src/backtest/site.ts'
import type { Observation } from '../../../src/core/observation.ts'
import type { ScalingPolicy } from '../../../src/core/policy.ts'
import { policySet } from '../../decide/world.ts'

export function siteFor(policy: ScalingPolicy): Site {
  return siteOf(policySet([policy]), { startupSigma: 0, modelError: 0 })
}

export function controllerFor(configuration: Configuration, policy: ScalingPolicy): Controller {
  return configuration.controllerOf(siteFor(policy))
}

/** Of one variant of `chat/llama`, at every step. */
export function told(
  controller: Controller,
  variant: string,
  observations: readonly Observation[],
): readonly (Signal | undefined)[] {
  return observations.map((observation) => controller.step(observation).signals[`chat/llama/${variant}`])
}

/** The counts that a controller writes itself. */
export function counts(
  controller: Controller,
  variant: string,
  observations: readonly Observation[],
): readonly (number | undefined)[] {
  return told(controller, variant, observations).map((signal) => signal?.metric)
}
