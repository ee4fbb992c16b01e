// Where the KV cache runs out: the share of first tokens later than the SLO and the rate at saturation, by the capacity
// model and by the simulated replica, alone and behind the shortest queue, on windows of a trace.
// Usage: npx node bench/kvCache.ts --data DIR  (servegen_reason_deepseek_r1_10min.csv is read from there; a minute)
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { drawLength } from '../src/backtest/traffic/lengthPoints.ts'
import { readRates } from '../src/backtest/traffic/readRates.ts'
import type { RateWindow } from '../src/backtest/traffic/traffic.ts'
import { dispersionOf } from '../src/core/capacity/capacity.ts'
import { workload } from '../src/core/capacity/lengths.ts'
import { shareAbove } from '../src/core/capacity/mixture.ts'
import { unifiedReplica } from '../src/core/capacity/unified.ts'
import type { Profile } from '../src/core/profile.ts'
import { constantRate, renewalArrivals } from '../src/simulation/arrivals.ts'
import { Replica } from '../src/simulation/replica.ts'
import { playPool } from '../test/stage/pool.ts'

const { values } = parseArgs({ options: { data: { type: 'string' } } })
if (values.data === undefined) throw new Error('usage: npx node bench/kvCache.ts --data DIR')
const file = 'servegen_reason_deepseek_r1_10min.csv'
const { windows } = readRates(file, [readFileSync(join(values.data, file))])

/** Llama-3.1-8B on one H100. */
const profile: Profile = {
  ...{ name: 'h100', quality: 'stated', source: 'docs/BENCHMARKS.md', d2: 0, g: 0, h: 0 },
  ...{ a: 6.58, b: 0.0193, c: 5.46e-5, ap: 6.58, bp: 0.0193 },
}
const limits = { maxNumSeqs: 256, maxNumBatchedTokens: 8192, kvTokens: 400_000 }
const ttftSeconds = 2
const hours = 8

interface Served {
  /** Share of first tokens. */
  readonly late: number
  /** Completions per second and replica over the second half. */
  readonly requestsPerSecond: number
}

function simulated(window: RateWindow, rate: number, replicas: number): Served {
  const untilSeconds = hours * 3600
  let [all, late, finished] = [0, 0, 0]
  const pool = Array.from(
    { length: replicas },
    () =>
      new Replica(
        { ...limits, profile, role: 'unified', slowGapSeconds: [] },
        {
          iteration: () => undefined,
          preempted: () => undefined,
          resumed: () => undefined,
          firstToken: ({ request, firstTokenAtSeconds }) => {
            if (request.arrivedAtSeconds < 3600) return
            all++
            if (firstTokenAtSeconds - request.arrivedAtSeconds > ttftSeconds) late++
          },
          finished: ({ finishedAtSeconds: at }) => {
            if (at > untilSeconds / 2 && at < untilSeconds) finished++
          },
        },
        0,
      ),
  )
  const arrivals = renewalArrivals({
    ...{ rate: constantRate(rate * replicas), seed: 1, cv: 1, classIndex: 0, fromSeconds: 0, untilSeconds },
    lengths: (random) => ({
      promptTokens: drawLength(window.promptTokens, random),
      outputTokens: drawLength(window.outputTokens, random),
    }),
  })
  playPool(pool, arrivals)
  return { late: late / all, requestsPerSecond: finished / (untilSeconds / 2) / replicas }
}

const loads = [0.8, 0.85, 0.9, 0.95]
console.log(`| window | replicas | ${loads.join(' | ')} | saturation, simulated / model |`)
console.log(`|---|---|${loads.map(() => '---|').join('')}---|`)
for (const index of [9, 60, 120]) {
  const window = windows[index] as RateWindow
  const work = workload(profile, limits, { ...window, prefixHitRate: 0 })
  const model = unifiedReplica(profile, work, limits.maxNumBatchedTokens)
  const lmax = model.lmax * 1000
  const saturation = simulated(window, 1.2 * lmax, 1).requestsPerSecond / lmax
  for (const replicas of [1, 4, 16]) {
    const cells = loads.map((load) => {
      const ttft = model.at((load * lmax) / 1000, dispersionOf(1, replicas))?.mixture('ttft') ?? []
      const percent = (share: number): string => `${(100 * share).toFixed(2)} %`
      return `${percent(simulated(window, load * lmax, replicas).late)} (${percent(shareAbove(ttft, ttftSeconds * 1000))})`
    })
    console.log(
      `| ${index} | ${replicas} | ${cells.join(' | ')} | ${replicas === 1 ? saturation.toFixed(3) : ''} |`,
    )
  }
}
