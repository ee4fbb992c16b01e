// What replicas carry by what a policy states alone: nothing is observed, nothing learnt, arrivals are Poisson.
import type { CapacityMemo } from '../core/capacity/memo.ts'
import type { Shape } from '../core/capacity/question.ts'
import { assumedLengths } from '../core/capacity/shape.ts'
import type { Observation } from '../core/observation.ts'
import type { ScalingPolicy, TrafficClass } from '../core/policy.ts'
import { type Sizing, sizing } from '../core/sizing.ts'

export function statedSizing(
  policy: ScalingPolicy,
  shapeOf: (trafficClass: TrafficClass) => Shape,
  memo: CapacityMemo,
): Sizing {
  return sizing(
    policy,
    policy.variants,
    shapeOf,
    () => 1,
    nothingSeen,
    memo,
    ({ profile }) => profile,
    () => 1,
  )
}

/** Requests of the lengths that the policy assumes. */
export function assumedShape({ assumedShape: { promptTokens, outputTokens } }: TrafficClass): Shape {
  return {
    promptTokens: assumedLengths(promptTokens),
    outputTokens: assumedLengths(outputTokens),
    prefixHitRate: 0,
  }
}

const nothingSeen: Observation = {
  format: 'mixscaler-observation/1',
  at: 0,
  variants: {},
  classes: {},
  pools: {},
  warnings: [],
}
