// A tick of a large fleet: how long `decide` takes when a few policies changed, against deciding it all anew.
//   npx node bench/tick.ts [policies] [variants each] [ticks]
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { decide } from '../src/core/decide.ts'
import type { Observation } from '../src/core/observation.ts'
import type { VariantId } from '../src/core/policy.ts'
import { isMissing } from '../src/core/reading.ts'
import { emptyState, type State } from '../src/core/state.ts'
import { createTools } from '../src/core/tools.ts'
import { decideInWorker } from '../src/loop/decider.ts'
import { loadEngines } from '../src/solvers/engines.ts'
import { h100, observe, policy, policySet, signals, variant } from '../test/decide/world.ts'

const [policyCount = 100, variantCount = 10, ticks = 40] = process.argv.slice(2).map(Number)
const changedShare = 0.05

const policies = policySet(
  Array.from({ length: policyCount }, (_, p) => {
    const id = `chat/m${String(p).padStart(4, '0')}`
    const variants = Array.from({ length: variantCount }, (_unused, v) => {
      const speed = 1 + ((7 * p + 3 * v) % 10) / 10
      return variant(`v${v}`, {
        id: `${id}/v${v}`,
        costPerHour: 4 / speed + ((p + v) % 3) * 0.2,
        replicas: { min: v === 0 ? 1 : 0, max: 20 },
        profile: {
          ...h100,
          a: h100.a * speed,
          b: h100.b * speed,
          c: h100.c * speed,
          ap: h100.ap * speed,
          bp: h100.bp * speed,
        },
      })
    })
    const [only] = policy([]).classes
    if (only === undefined) throw new Error('no class')
    return policy(variants, { id, name: id, classes: [{ ...only, id: `${id}/chat` }] })
  }),
)
const rates = policies.policies.map((_, p) => 20 + ((p * 37) % 100))

/** The fleet obeys at once. */
const counts = new Map<VariantId, number>()
const tools = createTools(await loadEngines())
let state: State = emptyState
const cold = timed(0)
// The first ticks settle: what the start asked for arrives, and the hold of a start passes.
for (let tick = 1; tick <= 12; tick++) timed(tick * 15)
const warm: number[] = []
for (let tick = 1; tick <= ticks; tick++) {
  for (let i = 0; i < policyCount * changedShare; i++) {
    const p = (tick * 13 + i * 7) % policyCount
    rates[p] = (rates[p] ?? 0) * (1 + 0.2 * Math.sin(tick + i))
  }
  warm.push(timed((tick + 12) * 15))
}
warm.sort((x, y) => x - y)
const p50 = warm[Math.floor(warm.length * 0.5)] ?? 0
const p95 = warm[Math.floor(warm.length * 0.95)] ?? 0
console.log(
  `${policyCount} policies x ${variantCount} variants, 5 % changed per tick, ${ticks} ticks; ms of CPU`,
)
console.log(
  `all new ${cold.toFixed(0)}; 5 % changed p50 ${p50.toFixed(0)}, p95 ${p95.toFixed(0)}; ratio p95/all new ${(p95 / cold).toFixed(3)}`,
)
await inWorker()
console.log(`state ${(JSON.stringify(state).length / 1024).toFixed(0)} KiB`)

function timed(at: number): number {
  const observation = observed(at)
  const begin = process.cpuUsage()
  const decided = decide(policies, state, observation, tools)
  const { user, system } = process.cpuUsage(begin)
  state = decided.state
  for (const { id, target } of decided.decision.policies.flatMap(({ variants }) => variants))
    if (!isMissing(target)) counts.set(id, target)
  return (user + system) / 1000
}

function observed(at: number): Observation {
  return {
    ...observe(at, {}),
    variants: Object.fromEntries(
      policies.policies.flatMap(({ variants }, p) =>
        variants.map(({ id }, v) => {
          const replicas = counts.get(id) ?? (v === 0 ? 2 : 0)
          const running = variants.reduce((sum, other) => sum + (counts.get(other.id) ?? 0), 0) || 2
          return [id, signals(replicas, ((rates[p] ?? 0) * replicas) / running)]
        }),
      ),
    ),
  }
}

/** The same decisions in the worker of `serve`: how late the thread that hands them over is meanwhile. */
async function inWorker(): Promise<void> {
  const decider = decideInWorker({
    entry: new URL('../src/cli/decideWorker.ts', import.meta.url),
    limitSeconds: 120,
    memoryLimitMebibytes: 512,
    lost: (why) => console.log(why),
  })
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  for (let tick = 0; tick < 10; tick++) {
    const answer = await decider.decide(policies, state, observed((ticks + 20 + tick) * 15))
    state = answer.state
  }
  delay.disable()
  await decider.close()
  const milliseconds = (nanoseconds: number): string => (nanoseconds / 1e6).toFixed(1)
  console.log(
    `main thread while a worker decides, all new and 9 more: delay p99 ${milliseconds(delay.percentile(99))}, max ${milliseconds(delay.max)} ms`,
  )
}
