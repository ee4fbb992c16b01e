// How long the optimizer takes, how near to a proven bound, and what one HiGHS program over everything makes of
// the same: `npx node bench/optimize.ts [models|redundancy|twins|fleets|monolith|jitter]`. Wall and CPU, because machines are shared.
import { cpus } from 'node:os'
import type { Engines } from '../src/core/optimize/engine.ts'
import { coupledLimits, type FleetModel, type FleetPlan, planFleet } from '../src/core/optimize/fleet.ts'
import type { MixPlan, MixPool, MixProblem } from '../src/core/optimize/mix.ts'
import { planMix } from '../src/core/optimize/planMix.ts'
import { planTogether, weighed } from '../src/core/optimize/planTogether.ts'
import { loadEngines } from '../src/solvers/engines.ts'
import { copied, type Fleet, fleet, model, uniform, usage } from './fleets.ts'

const engines = await loadEngines()
const parts: Readonly<Record<string, () => void>> = { models, redundancy, twins, fleets, monolith, jitter }
const wanted = process.argv.slice(2)
console.log(`${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}`)
for (const [name, run] of Object.entries(parts)) if (wanted.length === 0 || wanted.includes(name)) run()

function models(): void {
  console.log(
    '\none model                 wall p50   p95   max |  CPU p50   p95   max   ms; large engine asked, failed',
  )
  const kinds: Readonly<Record<string, (alone: MixProblem, seed: number) => MixProblem>> = {
    'pools loose': (alone) => ({ ...alone, pools: poolsFor([alone], 3) }),
    'pools at 70 %': (alone) => ({ ...alone, pools: poolsFor([alone], 0.7) }),
    'HPA dead band': grown,
  }
  for (const size of [4, 8, 16, 32]) {
    for (const [kind, change] of Object.entries(kinds)) {
      const problems = seeds(100).map((seed) => change(model('m', size, 'r', uniform(seed)), seed))
      timed(`1 x ${size}, ${kind}`, problems)
    }
  }
}

/** Ten to forty replicas of every variant and demand for as many: all counts have holes. */
function grown(alone: MixProblem, seed: number): MixProblem {
  const random = uniform(1_000 + seed)
  return {
    ...alone,
    hpaTolerance: 0.1,
    classes: alone.classes.map((x) => ({ ...x, requestsPerSecond: 20 * x.requestsPerSecond })),
    variants: alone.variants.map((v) => ({ ...v, max: 600, current: 10 + Math.floor(30 * random()) })),
  }
}

/** The same models, which must carry everything after losing one replica of any variant. */
function redundancy(): void {
  console.log(
    '\nsurvive one replica       wall p50   p95   max |  CPU p50   p95   max   ms; large engine asked, failed',
  )
  for (const size of [4, 8, 16]) {
    const problems = seeds(100).map((seed) => ({
      ...model('m', size, 'r', uniform(seed)),
      surviveReplicas: 1,
    }))
    timed(`1 x ${size}`, problems)
  }
}

function timed(label: string, problems: readonly MixProblem[]): void {
  let large = 0
  let failed = 0
  let gap = 0
  const counting: Engines = {
    ...engines,
    large: (...asked) => {
      large++
      return engines.large(...asked)
    },
  }
  const runs = problems.map((problem) =>
    taken(() => {
      const plan = planMix(problem, counting)
      if (plan.status === 'failed') failed++
      else if (plan.lowerBoundPerHour !== undefined)
        gap = Math.max(gap, weighed(problem, plan) / plan.lowerBoundPerHour - 1)
    }),
  )
  console.log(
    `${label.padEnd(25)} ${spread(runs.map((run) => run.wall))} | ${spread(runs.map((run) => run.cpu))}   ${large}, ${failed}; gap ${gap.toExponential(0)}`,
  )
}

function seeds(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index + 1)
}

/** Four kinds four times each, as one column per kind and, told apart by a billionth of their GPU price, as sixteen. */
function twins(): void {
  console.log(
    '\n4 x 4 twins           wall p50   p95   max |  CPU p50   p95   max   ms; mean cost and starts',
  )
  const costs = { merged: 0, apart: 0 }
  for (const kind of ['merged', 'apart'] as const) {
    const runs = Array.from({ length: 100 }, (_, index) => {
      const made = copied(model('m', 4, 'r', uniform(index + 1)), 4)
      const variants = made.variants.map((one, at) => ({
        ...one,
        gpuPrice: kind === 'apart' ? 1e-9 * at : 0,
      }))
      const problem = { ...made, variants }
      return taken(() => {
        const plan = planMix(problem, engines)
        if (plan.status === 'failed') throw new Error(plan.why)
        costs[kind] += weighed(problem, plan) / 100
      })
    })
    console.log(
      `${kind.padEnd(20)} ${spread(runs.map((run) => run.wall))} | ${spread(runs.map((run) => run.cpu))}   ${costs[kind].toFixed(4)}`,
    )
  }
}

function fleets(): void {
  console.log('\nfleet                     full: wall  CPU s |  5 % changed |   gap   coupled models  short')
  const cases = [
    { models: 100, regions: 20, scarce: 8 },
    { models: 100, regions: 5, scarce: 4 },
    { models: 100, regions: 1, scarce: 1 },
    { models: 300, regions: 60, scarce: 8 },
    { models: 1000, regions: 200, scarce: 0 },
  ]
  for (const { models: count, regions, scarce } of cases) {
    const made = contended(count, regions, scarce)
    const memo = new Map()
    let plan: FleetPlan | undefined
    const full = taken(() => {
      plan = planFleet(asModels(made.problems), made.pools, engines, memo)
    })
    const next = changed(made.problems)
    const part = taken(() => {
      planFleet(asModels(next), made.pools, engines, memo)
    })
    if (plan === undefined) continue
    const label = `${count} x 8, ${scarce === 0 ? 'loose' : `1 pool in ${scarce} scarce, ${regions} regions`}`
    const gap = plan.lowerBound > 0 ? (100 * (plan.objective / plan.lowerBound - 1)).toFixed(3) : '-'
    const coupled = plan.coupled.map((group) => group.length)
    const short = [...plan.plans.values()].filter((one) => one.status !== 'optimal').length
    console.log(
      `${label}: ${seconds(full.wall)} ${seconds(full.cpu)} | ${seconds(part.wall)} ${seconds(part.cpu)} | ${gap} % | ${coupled.length} groups of up to ${Math.max(0, ...coupled)} | ${short}`,
    )
    for (const { priority, short, atLeast } of plan.rationed) {
      console.log(
        `  priority ${priority}: ${short.toFixed(1)} requests/s short, at least ${atLeast.toFixed(1)} for any plan`,
      )
    }
  }
}

/** The baseline: one program over all models, by HiGHS, with the limits that coupled groups get. */
function monolith(): void {
  const { problems, pools } = contended(100, 20, 8)
  const apart = planFleet(asModels(problems), pools, engines, new Map())
  const onlyLarge = { small: engines.large, large: engines.large }
  let answer: ReturnType<typeof planTogether> | undefined
  const spent = taken(() => {
    answer = planTogether(problems, pools, onlyLarge, coupledLimits)
  })
  const found =
    answer?.status === 'planned'
      ? `${answer.objective.toFixed(1)} (its bound ${answer.lowerBound.toFixed(1)})`
      : answer?.why
  console.log(
    `\none HiGHS program, 100 x 8: ${seconds(spent.wall)} wall, ${seconds(spent.cpu)} CPU, ${found}; planFleet ${apart.objective.toFixed(1)} (bound ${apart.lowerBound.toFixed(1)})`,
  )
}

/** Replicas moved and cost under jitter of the demand, with the switching cost alone and with a hold band. */
function jitter(): void {
  console.log('\njitter over 1,000 ticks        ticks changed   replicas moved per tick   mean cost per hour')
  for (const deviation of [0.02, 0.05]) {
    for (const hold of [0, 0.03, 0.1]) {
      const random = uniform(42)
      let problem = model('m', 8, 'r', uniform(9))
      const base = problem.classes
      let ticks = 0
      let moved = 0
      let cost = 0
      for (let tick = 0; tick < 1_000; tick++) {
        const noise = (): number => 1 + deviation * gaussian(random)
        problem = {
          ...problem,
          holdBand: hold,
          classes: base.map((x) => ({ ...x, requestsPerSecond: x.requestsPerSecond * noise() })),
        }
        const plan = planMix(problem, engines)
        if (plan.status === 'failed') throw new Error(plan.why)
        const change = problem.variants.reduce(
          (sum, v) => sum + Math.abs((plan.replicas[v.id] ?? 0) - v.current),
          0,
        )
        if (tick > 0 && change > 0) ticks++
        if (tick > 0) moved += change
        cost += plan.costPerHour / 1_000
        problem = {
          ...problem,
          variants: problem.variants.map((v) => ({ ...v, current: plan.replicas[v.id] ?? 0 })),
        }
      }
      console.log(
        `sd ${100 * deviation} %, hold ${100 * hold} %`.padEnd(30),
        `${(ticks / 9.99).toFixed(1)} %`.padEnd(15),
        (moved / 999).toFixed(2).padEnd(25),
        cost.toFixed(2),
      )
    }
  }
}

function contended(count: number, regions: number, scarce: number): Fleet {
  const loose = fleet(count, 8, regions, 1, () => Number.POSITIVE_INFINITY)
  if (scarce === 0) return loose
  const replicas: Record<string, number> = {}
  for (const plan of planFleet(asModels(loose.problems), loose.pools, engines, new Map()).plans.values()) {
    if (plan.status !== 'failed') Object.assign(replicas, plan.replicas)
  }
  const used = usage(loose.problems, (id) => replicas[id] ?? 0)
  const pools = loose.pools.map((pool, index): MixPool => {
    const gpus = used.get(pool.name) ?? 0
    return {
      name: pool.name,
      gpus: index % scarce === 0 ? Math.floor(0.85 * gpus) : 4 + Math.ceil(1.3 * gpus),
    }
  })
  return { problems: loose.problems, pools }
}

function poolsFor(problems: readonly MixProblem[], share: number): readonly MixPool[] {
  const free = problems
    .map((problem) => planMix(problem, engines))
    .filter((plan): plan is MixPlan => plan.status !== 'failed')
  const replicas: Record<string, number> = Object.assign({}, ...free.map((plan) => plan.replicas))
  return [...usage(problems, (id) => replicas[id] ?? 0)].map(([name, gpus]) => ({
    name,
    gpus: Math.floor(share * gpus),
  }))
}

function asModels(problems: readonly MixProblem[]): readonly FleetModel[] {
  return problems.map((problem, index) => ({
    id: `m${String(index).padStart(4, '0')}`,
    problem,
    capacityKey: 'fixed',
  }))
}

function changed(problems: readonly MixProblem[]): readonly MixProblem[] {
  return problems.map((problem, index) =>
    // One in twenty, spread over the regions.
    (index + Math.floor(index / 20)) % 20 === 7
      ? {
          ...problem,
          classes: problem.classes.map((x) => ({ ...x, requestsPerSecond: 1.07 * x.requestsPerSecond })),
        }
      : problem,
  )
}

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

interface Taken {
  readonly wall: number
  readonly cpu: number
}

/** Milliseconds. */
function taken(work: () => void): Taken {
  const start = process.hrtime.bigint()
  const cpu = process.cpuUsage()
  work()
  const used = process.cpuUsage(cpu)
  return { wall: Number(process.hrtime.bigint() - start) / 1e6, cpu: (used.user + used.system) / 1e3 }
}

function spread(values: readonly number[]): string {
  const sorted = [...values].sort((x, y) => x - y)
  const at = (q: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0).toFixed(1).padStart(6)
  return `${at(0.5)} ${at(0.95)} ${at(1)}`
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(2)
}
