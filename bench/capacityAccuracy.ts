// How far the capacity answer is from the simulated replica, on random engines, lengths and SLOs: the simulated p95 over
// the SLO when running at exactly the predicted rate.  npx node bench/capacityAccuracy.ts [draws] [requests] [seed] [replicas] [lengths]
// `lengths`: a draw is sized by so many, of those that it then serves.
import { capacityOf } from '../src/core/capacity/capacity.ts'
import type { CapacityQuestion, SizingGoal } from '../src/core/capacity/question.ts'
import { lengthsToCome } from '../src/core/capacity/shape.ts'
import type { Histogram } from '../src/core/histogram.ts'
import type { Profile } from '../src/core/profile.ts'
import { constantRate, renewalArrivals } from '../src/simulation/arrivals.ts'
import { Latencies } from '../src/simulation/latencies.ts'
import { type DrawLengths, lognormalLengths } from '../src/simulation/lengths.ts'
import { Random } from '../src/simulation/random.ts'
import { Replica, type ReplicaObserver } from '../src/simulation/replica.ts'
import { timePerOutputToken } from '../src/simulation/request.ts'
import { playPool } from '../test/stage/pool.ts'

const [draws = 100, requests = 60_000, seed = 1, replicas = 1, sampled = 5000] = process.argv
  .slice(2)
  .map(Number)

interface Draw {
  readonly question: CapacityQuestion
  readonly lengths: DrawLengths
  readonly ttft: number
  readonly metric: 'itl' | 'tpot'
  readonly gap: number
}

/** Edges of vLLM's length histograms. */
const upperBounds = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000]

function observed(values: readonly number[]): Histogram {
  const perSecond = new Array<number>(upperBounds.length + 1).fill(0)
  for (const value of values) {
    const at = upperBounds.findIndex((edge) => value <= edge)
    const bucket = at === -1 ? upperBounds.length : at
    perSecond[bucket] = (perSecond[bucket] ?? 0) + 1
  }
  return { upperBounds, perSecond, sumPerSecond: values.reduce((sum, value) => sum + value, 0) }
}

function draw(random: Random, index: number): Draw {
  const even = (low: number, high: number): number => low + (high - low) * random.uniform()
  const log = (low: number, high: number): number => Math.exp(even(Math.log(low), Math.log(high)))
  const a = even(4, 20)
  const b = log(0.008, 0.07)
  const bp = b * even(0.8, 1.2)
  const profile: Profile = {
    ...{ name: 'drawn', quality: 'stated', source: 'drawn', g: 0, h: 0, d2: 0 },
    ...{ a, b, c: log(2e-5, 2e-4), ap: a, bp },
  }
  const prompt = log(150, 4000)
  const cv = even(0.2, 1.5)
  const lengths = lognormalLengths(prompt, log(20, 800), cv)
  const seen = Array.from({ length: sampled }, () => lengths(random))
  const ttft = ((a + prompt * bp * (1 + 1.6 * cv)) * log(1.5, 12)) / 1000
  const gap = (a * log(1.3, 6)) / 1000
  const metric = index % 2 === 0 ? 'itl' : 'tpot'
  const goal: SizingGoal = {
    kind: 'interactive',
    ttft: { percentile: 0.95, seconds: ttft },
    [metric]: { percentile: 0.95, seconds: gap },
  }
  const question: CapacityQuestion = {
    role: 'unified',
    profile,
    limits: {
      maxNumSeqs: random.uniform() < 0.5 ? 128 : 256,
      maxNumBatchedTokens: random.uniform() < 0.7 ? 8192 : 2048,
      kvTokens: Math.round(log(150_000, 600_000)),
    },
    shape: {
      promptTokens: lengthsToCome(observed(seen.map((one) => one.promptTokens)), 12, sampled),
      outputTokens: lengthsToCome(observed(seen.map((one) => one.outputTokens)), 12, sampled),
      prefixHitRate: 0,
    },
    goal,
    replicas,
    dispersion: 1,
    sloMargin: 0.95,
    maxLoad: 0.9,
  }
  return { question, lengths, ttft, metric, gap }
}

/** The larger of p95 TTFT and p95 gap, each over its bound. */
function simulated({ question, lengths, ttft, metric, gap }: Draw, requestsPerSecond: number): number {
  const firsts = new Latencies()
  const gaps = new Latencies()
  const observer: ReplicaObserver = {
    iteration: (decodes, _, seconds) => metric === 'itl' && decodes > 0 && gaps.add(seconds, decodes),
    firstToken: (one) => firsts.add(one.firstTokenAtSeconds - one.submittedAtSeconds),
    preempted: () => undefined,
    resumed: (seconds) => metric === 'itl' && gaps.add(seconds),
    finished: (one) => metric === 'tpot' && one.outputTokens > 1 && gaps.add(timePerOutputToken(one)),
  }
  const settings = {
    ...question.limits,
    profile: question.profile,
    role: 'unified',
    slowGapSeconds: [],
  } as const
  const pool = Array.from({ length: replicas }, () => new Replica(settings, observer, 0))
  const rate = requestsPerSecond * replicas
  const arrivals = renewalArrivals({
    ...{ rate: constantRate(rate), lengths, seed, cv: 1, classIndex: 0 },
    ...{ fromSeconds: 0, untilSeconds: requests / rate },
  })
  playPool(pool, arrivals)
  return Math.max((firsts.quantile(0.95) ?? 0) / ttft, (gaps.quantile(0.95) ?? 0) / gap)
}

function row(name: string, ratios: readonly number[]): string {
  const sorted = [...ratios].sort((x, y) => x - y)
  const at = (share: number): string =>
    (sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN).toFixed(2)
  const above = (limit: number): string =>
    `${((100 * sorted.filter((ratio) => ratio > limit).length) / sorted.length).toFixed(1)} %`
  return `| ${name} | ${sorted.length} | ${at(0.5)} | ${at(0.9)} | ${at(1)} | ${above(1)} | ${above(1.05)} | ${above(1.1)} |`
}

const random = new Random(seed)
const ratios: { readonly metric: string; readonly ratio: number }[] = []
let infeasible = 0
for (let index = 0; ratios.length < draws; index++) {
  const one = draw(random, index)
  const capacity = capacityOf(one.question)
  // Below a tenth of what it could carry, the SLO is within a few percent of the idle latency.
  const most = capacityOf({ ...one.question, goal: { kind: 'throughput' } })
  if (capacity.kind === 'infeasible' || most.kind === 'infeasible') infeasible++
  else if (capacity.requestsPerSecond > 0.1 * most.requestsPerSecond) {
    ratios.push({ metric: one.metric, ratio: simulated(one, capacity.requestsPerSecond) })
  }
}
console.log(
  `simulated p95 / SLO at the predicted capacity; ${infeasible} draws were infeasible, seed ${seed}, ${replicas} ${replicas === 1 ? 'replica' : 'replicas behind the shortest queue'}`,
)
console.log('| second bound | draws | median | p90 | max | > 1 | > 1.05 | > 1.10 |')
console.log('|---|---|---|---|---|---|---|---|')
for (const metric of ['itl', 'tpot']) {
  console.log(
    row(
      metric,
      ratios.filter((one) => one.metric === metric).map((one) => one.ratio),
    ),
  )
}
console.log(
  row(
    'both',
    ratios.map((one) => one.ratio),
  ),
)
