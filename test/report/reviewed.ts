// A backtest as reports get it: real runs of the fluid plant over synthetic days, under Mixscaler and under a static
// fleet sized for the peak, with plans at the busiest instant.
import { join } from 'node:path'
import { backtest, defaultPlant, type Setup } from '../../src/backtest/backtest.ts'
import { decideController, staticController } from '../../src/backtest/ours.ts'
import type { Result } from '../../src/backtest/result.ts'
import { type ClassLoad, sizedFor } from '../../src/backtest/sized.ts'
import { lengthPoints } from '../../src/backtest/traffic/lengthPoints.ts'
import type { RateWindow, Traffic } from '../../src/backtest/traffic/traffic.ts'
import { watched } from '../../src/backtest/watched.ts'
import { planningAt } from '../../src/cli/planned.ts'
import { requirePolicies } from '../../src/cli/policies.ts'
import { decide } from '../../src/core/decide.ts'
import type { Observation } from '../../src/core/observation.ts'
import type { PolicySet } from '../../src/core/policy.ts'
import { emptyState } from '../../src/core/state.ts'
import { createTools } from '../../src/core/tools.ts'
import type { BacktestReportInput } from '../../src/report/backtest/backtestReport.ts'
import { loadEngines } from '../../src/solvers/engines.ts'

export const silent = {
  out: () => {},
  error: () => {},
  env: {},
  signal: new AbortController().signal,
}

/** 2026-01-01: the second 0 of every backtest. */
const epochSeconds = 1_767_225_600
const windowSeconds = 300
const shape = { promptTokens: 1200, outputTokens: 220 }

export interface Review {
  readonly hours: number
  /** Requests per second of the busiest hour, by class index. */
  readonly peaks: readonly number[]
}

export async function reviewed(policies: PolicySet, { hours, peaks }: Review): Promise<BacktestReportInput> {
  const tools = createTools(await loadEngines())
  const traffic = days(hours, peaks)
  let busiest: () => Observation | undefined = () => undefined
  const setup: Omit<Setup, 'controllerOf'> = {
    ...{ policies, traffic, tools, fidelity: 'fluid', seed: 7, warmupSeconds: 1800, tickSeconds: 15 },
    ...{ stepSeconds: 5, startupSigma: 0.2, modelError: 0.05, plant: defaultPlant },
  }
  const ours = finished({
    ...setup,
    controllerOf: (site) => {
      const watching = watched(decideController(site, tools, setup.tickSeconds))
      busiest = watching.busiest
      return watching.controller
    },
  })
  const classes = policies.policies.flatMap((policy) => policy.classes)
  const loads: Record<string, ClassLoad> = Object.fromEntries(
    classes.map(({ id }, index) => [id, { requestsPerSecond: (peaks[index] ?? 0) * 1.1, ...shape }]),
  )
  const atPeak = finished({
    ...setup,
    controllerOf: () => staticController(sizedFor(policies, loads, tools)),
  })
  const observation = busiest()
  if (observation === undefined) throw new Error('no step was taken')
  const { decision } = decide(policies, emptyState, observation, tools)
  return {
    version: '0.0.0',
    command: "mixscaler backtest --policy policies --trace 'last month.csv' --seed 7",
    epochSeconds,
    policies,
    results: [ours, atPeak],
    ours: 'mixscaler',
    today: 'static',
    planning: planningAt(policies, { state: emptyState, observation, tools }, decision, silent),
  }
}

/** Those of the repository: all, or one of them with its pools. */
export async function examplePolicies(id?: string): Promise<PolicySet> {
  const { policies } = await requirePolicies(join(import.meta.dirname, '../../policies'))
  return { ...policies, policies: policies.policies.filter((policy) => policy.id === (id ?? policy.id)) }
}

function finished(setup: Setup): Result {
  const running = backtest(setup)
  for (;;) {
    const next = running.next()
    if (next.done === true) return next.value
  }
}

/** Low at night, high in the afternoon, with a jump in the evening of the first day. */
function days(hours: number, peaks: readonly number[]): Traffic {
  const windows = (peak: number): readonly RateWindow[] =>
    Array.from({ length: (hours * 3600) / windowSeconds }, (_, index) => {
      const hour = (index * windowSeconds) / 3600
      const day = 0.2 + 0.8 * Math.sin((Math.PI * (hour % 24)) / 24) ** 4
      const jump = hour > 18 && hour < 18.75 ? 1.9 : 1
      return {
        fromSeconds: index * windowSeconds,
        untilSeconds: (index + 1) * windowSeconds,
        requestsPerSecond: peak * day * jump,
        promptTokens: lengthPoints({ mean: shape.promptTokens }),
        outputTokens: lengthPoints({ mean: shape.outputTokens }),
        cv: 1.2,
      }
    })
  return {
    untilSeconds: hours * 3600,
    sources: peaks.map((peak, classIndex) => ({
      ...{ classIndex, scale: 1, shiftSeconds: 0 },
      source: { kind: 'rates', inside: 'bridge', windows: windows(peak) },
    })),
  }
}
