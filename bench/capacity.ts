// What capacity costs in CPU time: evaluations per second by role, and a fleet of 1,000 variants of which 5 % changed since the
// last tick, against working all of them out again.  npx node bench/capacity.ts
import { capacityOf } from '../src/core/capacity/capacity.ts'
import { createCapacityMemo } from '../src/core/capacity/memo.ts'
import type { CapacityQuestion } from '../src/core/capacity/question.ts'
import { assumedLengths } from '../src/core/capacity/shape.ts'
import { measuredProfiles } from '../src/core/profiles/measured.ts'

const variants = 1000
const changed = 50
/** The optimizer asks for a handful of counts per class and variant. */
const counts = [1, 2, 4, 8, 16]

function question(index: number, promptTokens: number): CapacityQuestion {
  const measured = measuredProfiles[index % measuredProfiles.length]
  if (measured === undefined) throw new Error('the library is empty')
  const { law, name, quality, source, mixtureOfExperts } = measured
  const spread = 1 + (index % 7) / 7
  return {
    role: (['unified', 'unified', 'prefill', 'decode'] as const)[index % 4] ?? 'unified',
    profile: {
      ...law,
      name,
      quality,
      source,
      ...(mixtureOfExperts === undefined ? {} : { mixtureOfExperts }),
    },
    limits: { maxNumSeqs: 256, maxNumBatchedTokens: 8192, kvTokens: 300_000 + 1000 * index },
    shape: {
      promptTokens: assumedLengths(promptTokens),
      outputTokens: assumedLengths(200),
      prefixHitRate: 0,
    },
    goal: {
      kind: 'interactive',
      ttft: { percentile: 0.95, seconds: 0.8 * spread },
      itl: { percentile: 0.95, seconds: 0.05 * spread },
    },
    replicas: 1,
    dispersion: 1,
    sloMargin: 0.95,
    maxLoad: 0.9,
  }
}

/** CPU seconds: the machine may be busy with other things. */
function seconds(work: () => void): number {
  const start = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1e6
}

const fleet = Array.from({ length: variants }, (_, i) => question(i, 1000))
const next = fleet.map((asked, i) => ((i * 37) % variants < changed ? question(i, 1200) : asked))

for (const role of ['unified', 'prefill', 'decode'] as const) {
  const asked = fleet.filter((one) => one.role === role)
  for (const one of asked.slice(0, 50)) capacityOf(one)
  const took = seconds(() => asked.forEach((one) => void capacityOf(one)))
  console.log(
    `${role.padEnd(8)} ${(asked.length / took).toFixed(0).padStart(6)} capacities/s (both ends of the pooling line)`,
  )
}

const memo = createCapacityMemo()
const ask = (questions: readonly CapacityQuestion[]) => () => {
  for (const one of questions) for (const replicas of counts) memo.capacityOf({ ...one, replicas })
}
const first = seconds(ask(fleet))
const second = seconds(ask(next))
console.log(
  `${variants} variants x ${counts.length} counts: all new ${first.toFixed(2)} s; ${changed} changed ${second.toFixed(3)} s, ` +
    `${((100 * second) / first).toFixed(1)} % of working all out`,
)
