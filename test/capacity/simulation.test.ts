import { describe, expect, it } from 'vitest'
import { capacityOf } from '../../src/core/capacity/capacity.ts'
import type { CapacityQuestion } from '../../src/core/capacity/question.ts'
import { exponentialLengths, fixedLengths } from '../../src/simulation/lengths.ts'
import { timePerOutputToken } from '../../src/simulation/request.ts'
import { runReplica, settingsOf } from '../simulation/runReplica.ts'
import { type EngineUnderTest, llama8b, llama70b, qwen14b } from './engines.ts'
import { poisson } from './poisson.ts'
import { chat } from './questions.ts'
import { exponential, fixed } from './workloads.ts'

interface Case {
  readonly engine: EngineUnderTest
  readonly promptTokens: number
  readonly outputTokens: number
  readonly lengths: 'fixed' | 'exponential'
  /** Bounds on p95, seconds. */
  readonly ttft: number
  readonly itl?: number
  readonly tpot?: number
}

const cases: readonly Case[] = [
  { engine: llama8b, promptTokens: 512, outputTokens: 128, lengths: 'fixed', ttft: 0.06, itl: 1 },
  { engine: llama8b, promptTokens: 512, outputTokens: 128, lengths: 'exponential', ttft: 0.5, itl: 0.04 },
  { engine: llama8b, promptTokens: 512, outputTokens: 128, lengths: 'exponential', ttft: 0.5, tpot: 0.02 },
  { engine: qwen14b, promptTokens: 1000, outputTokens: 200, lengths: 'exponential', ttft: 0.3, itl: 0.1 },
  { engine: llama70b, promptTokens: 1000, outputTokens: 200, lengths: 'exponential', ttft: 0.6, tpot: 0.03 },
  { engine: llama70b, promptTokens: 2000, outputTokens: 50, lengths: 'exponential', ttft: 1, itl: 0.3 },
]

function questionOf({
  engine,
  promptTokens,
  outputTokens,
  lengths,
  ttft,
  itl,
  tpot,
}: Case): CapacityQuestion {
  const bins = lengths === 'fixed' ? fixed : exponential
  return {
    ...chat,
    ...engine,
    shape: { promptTokens: bins(promptTokens), outputTokens: bins(outputTokens), prefixHitRate: 0 },
    goal: {
      kind: 'interactive',
      ttft: { percentile: 0.95, seconds: ttft },
      ...(itl === undefined ? {} : { itl: { percentile: 0.95, seconds: itl } }),
      ...(tpot === undefined ? {} : { tpot: { percentile: 0.95, seconds: tpot } }),
    },
  }
}

/** The largest of the simulated p95s over their bounds. */
function worst(one: Case, requestsPerSecond: number): number {
  const { engine, promptTokens, outputTokens, ttft, itl, tpot } = one
  const draw = one.lengths === 'fixed' ? fixedLengths : exponentialLengths
  const arrivals = poisson(requestsPerSecond, draw(promptTokens, outputTokens), 30_000, 11)
  const run = runReplica(settingsOf(engine.profile, engine.limits), arrivals)
  const gaps = run.completions
    .filter((completion) => completion.outputTokens > 1)
    .map(timePerOutputToken)
    .sort((x, y) => x - y)
  return Math.max(
    (run.ttft.quantile(0.95) ?? Number.NaN) / ttft,
    itl === undefined ? 0 : (run.itl.quantile(0.95) ?? Number.NaN) / itl,
    tpot === undefined ? 0 : (gaps[Math.floor(0.95 * gaps.length)] ?? Number.NaN) / tpot,
  )
}

describe('capacity against the simulated replica', () => {
  it.each(
    cases.map((one) => ({
      ...one,
      name: `${one.engine.profile.name}, ${one.lengths} ${one.promptTokens}/${one.outputTokens}`,
    })),
  )('$name: p95 breaks the SLO by at most 5 % at the answer, and by more at a third more', (one) => {
    const capacity = capacityOf(questionOf(one))
    if (capacity.kind === 'infeasible') throw new Error(capacity.why)
    expect(worst(one, capacity.requestsPerSecond)).toBeLessThanOrEqual(1.05)
    expect(worst(one, 1.33 * capacity.requestsPerSecond)).toBeGreaterThan(1.05)
  })
})
