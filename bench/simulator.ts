// How fast is the simulated replica, alone and against one that touches every sequence at every iteration?
// Usage: npx node bench/simulator.ts [requests]
import type { Profile } from '../src/core/profile.ts'
import { constantRate, renewalArrivals } from '../src/simulation/arrivals.ts'
import { lognormalLengths } from '../src/simulation/lengths.ts'
import { Replica } from '../src/simulation/replica.ts'
import type { Request } from '../src/simulation/request.ts'
import { runNaively } from '../test/simulation/naiveReplica.ts'

const requests = Number(process.argv[2] ?? 500_000)
// Llama-3.1-8B on one H100 under a conversation's lengths (Azure 2023: mean 1,155 in, 211 out).
const profile: Profile = {
  name: 'llama-3.1-8b/h100',
  quality: 'stated',
  source: 'published reference points',
  ...{ a: 6.58, b: 0.0193, c: 5.46e-5, ap: 6.58, bp: 0.0193, d2: 0, g: 0, h: 0 },
}
const limits = { maxNumSeqs: 256, maxNumBatchedTokens: 8192, kvTokens: 400_000 }

function traffic(rate: number, count: number): Request[] {
  const lengths = lognormalLengths(1155, 211, 0.9)
  const common = { rate: constantRate(rate), lengths, seed: 1, cv: 1, classIndex: 0, fromSeconds: 0 }
  return [...renewalArrivals({ ...common, untilSeconds: count / rate })]
}

function simulate(arrivals: readonly Request[]): { tokens: number; iterations: number } {
  const counts = { tokens: 0, iterations: 0 }
  const observer = {
    iteration(decodes: number): void {
      counts.tokens += decodes
      counts.iterations++
    },
    firstToken: (): void => {},
    preempted: (): void => {},
    resumed: (): void => {},
    finished: (): void => {},
  }
  const replica = new Replica({ profile, role: 'unified', ...limits, slowGapSeconds: [0.05] }, observer, 0)
  for (const request of arrivals) {
    replica.advance(request.arrivedAtSeconds)
    replica.submit(request, request.arrivedAtSeconds)
  }
  replica.advance(Number.MAX_VALUE)
  return counts
}

function secondsOf(run: () => void): number {
  const start = performance.now()
  run()
  return (performance.now() - start) / 1000
}

console.log('load   requests/s per core   iterations/s   naive requests/s   ratio')
for (const rate of [4, 11, 18]) {
  const arrivals = traffic(rate, requests)
  const sample = arrivals.slice(0, 20_000)
  simulate(sample)
  let iterations = 0
  const seconds = secondsOf(() => {
    iterations = simulate(arrivals).iterations
  })
  const naive = sample.length / secondsOf(() => runNaively(profile, limits, sample))
  const fast = arrivals.length / seconds
  const cells = [
    `${rate}/s`.padEnd(6),
    thousands(fast).padStart(19),
    thousands(iterations / seconds).padStart(14),
  ]
  console.log([...cells, thousands(naive).padStart(18), (fast / naive).toFixed(0).padStart(7)].join(' '))
}

function thousands(value: number): string {
  return `${Math.round(value / 1000).toLocaleString('en')}k`
}
