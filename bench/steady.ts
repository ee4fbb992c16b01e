// How often targets change while nothing does: constant load under noise, random fleets, the decision in a closed loop
// with start-ups that take their time. The bar: fewer than two changes per hour and variant. Beside it the same fleets
// without the hold band, so that what it buys is seen.
//   npx node bench/steady.ts [FLEETS=40] [HOURS=6] [SEED=1]
import { decide } from '../src/core/decide.ts'
import type { Observation, VariantSignals } from '../src/core/observation.ts'
import type { PolicySet, Variant, VariantId } from '../src/core/policy.ts'
import { isMissing } from '../src/core/reading.ts'
import { emptyState } from '../src/core/state.ts'
import { createTools } from '../src/core/tools.ts'
import { Random } from '../src/simulation/random.ts'
import { loadEngines } from '../src/solvers/engines.ts'
import { behavior } from '../test/behavior.ts'
import { h100, policy, policySet, signals, tokensOf, variant } from '../test/decide/world.ts'

const [fleets = 40, hours = 6, seed = 1] = process.argv.slice(2).map(Number)
const tickSeconds = 15
/** The forecast learns its own errors first. */
const warmUpHours = 1

type Noise = (random: Random) => number
const noises: Readonly<Record<string, Noise>> = {
  'uniform 5 %': (random) => 1 + 0.05 * (2 * random.uniform() - 1),
  'normal 5 %': (random) => Math.max(0, 1 + 0.05 * random.normal()),
}

const engines = await loadEngines()

function fleetOf(random: Random, holdBand: number): PolicySet {
  const count = 1 + random.integer(3)
  const variants = Array.from({ length: count }, (_, i): Variant => {
    const slower = 0.5 + 2.5 * random.uniform()
    const profile = {
      ...h100,
      a: h100.a * slower,
      b: h100.b * slower,
      c: h100.c * slower,
      ap: h100.ap * slower,
      bp: h100.bp * slower,
    }
    // Prices near what the speed is worth: mixes of nearly equal cost are the hard case.
    const costPerHour = (4 / slower) * (0.85 + 0.3 * random.uniform())
    const startupSeconds = 60 + random.integer(360)
    return variant(`v${i}`, {
      profile,
      costPerHour,
      startupSeconds,
      pool: `p${i}`,
      replicas: { min: random.integer(2), max: 60 },
    })
  })
  return policySet([
    policy(variants, { behavior: { ...behavior, forecastQuantile: 0.9, headroom: 0.1, holdBand } }),
  ])
}

interface Outcome {
  readonly perVariantHour: readonly number[]
  readonly costPerHour: number
}

function run(policies: PolicySet, load: number, noise: Noise, random: Random): Outcome {
  const tools = createTools(engines)
  const variants = policies.policies[0]?.variants ?? []
  const orders = new Map<VariantId, { readonly readyAt: number }[]>(variants.map(({ id }) => [id, []]))
  const changes = new Map<VariantId, number>(variants.map(({ id }) => [id, 0]))
  const last = new Map<VariantId, number>()
  const rates = new Map<VariantId, readonly number[]>()
  let state = emptyState
  let cost = 0
  let counted = 0
  for (let at = 0; at < hours * 3600; at += tickSeconds) {
    const ready = variants.map(({ id }) => (orders.get(id) ?? []).filter((one) => one.readyAt <= at).length)
    const speed = variants.map(({ profile }, i) => (ready[i] ?? 0) / profile.a)
    const total = speed.reduce((sum, one) => sum + one, 0)
    const observed: Record<VariantId, VariantSignals> = {}
    variants.forEach(({ id }, i) => {
      const share = total === 0 ? 0 : (speed[i] ?? 0) / total
      const starting = (orders.get(id) ?? []).length - (ready[i] ?? 0)
      const desired = (ready[i] ?? 0) + starting
      const rate = load * share * noise(random)
      const minute = [...(rates.get(id) ?? []).slice(-3), rate]
      rates.set(id, minute)
      observed[id] = signals(ready[i] ?? 0, rate, {
        // Tokens are counted over a minute, of requests that get as many a second each whatever the noise.
        generationTokensPerSecond: tokensOf(minute),
        replicas: { desired, ready: ready[i] ?? 0, starting, terminating: 0 },
      })
    })
    const observation: Observation = {
      format: 'mixscaler-observation/1',
      at,
      variants: observed,
      classes: {},
      pools: {},
      warnings: [],
    }
    const step = decide(policies, state, observation, tools)
    state = step.state
    for (const { id, target, replicas } of step.decision.policies.flatMap((one) => one.variants)) {
      if (isMissing(target) || isMissing(replicas)) continue
      const held = orders.get(id) ?? []
      const startup = variants.find((one) => one.id === id)?.startupSeconds ?? 0
      while (held.length < target) held.push({ readyAt: at === 0 ? 0 : at + startup })
      held.length = target
      if (at >= warmUpHours * 3600) {
        if (last.get(id) !== undefined && last.get(id) !== target) changes.set(id, (changes.get(id) ?? 0) + 1)
        cost += target * (variants.find((one) => one.id === id)?.costPerHour ?? 0)
      }
      last.set(id, target)
    }
    if (at >= warmUpHours * 3600) counted += 1
  }
  return {
    perVariantHour: [...changes.values()].map((count) => count / (hours - warmUpHours)),
    costPerHour: cost / counted,
  }
}

for (const [name, noise] of Object.entries(noises)) {
  const rates = { 'with the hold band': [] as number[], without: [] as number[] }
  const costs = { 'with the hold band': 0, without: 0 }
  for (let i = 0; i < fleets; i++) {
    for (const [label, band] of [
      ['with the hold band', 0.05],
      ['without', 0],
    ] as const) {
      const random = new Random(seed, i)
      const policies = fleetOf(random, band)
      const load = 10 * 2 ** (6 * random.uniform())
      const outcome = run(policies, load, noise, random)
      rates[label].push(...outcome.perVariantHour)
      costs[label] += outcome.costPerHour
      if (label === 'with the hold band' && Math.max(...outcome.perVariantHour) >= 2)
        console.log(
          `  fleet ${i}: load ${load.toFixed(1)} ${outcome.perVariantHour.map((x) => x.toFixed(1))} ${policies.policies[0]?.variants.map((v) => `${v.costPerHour.toFixed(2)}/${(v.profile.a / h100.a).toFixed(2)} min ${v.replicas.min} s${v.startupSeconds}`).join(' | ')}`,
        )
    }
  }
  for (const label of ['with the hold band', 'without'] as const) {
    const sorted = rates[label].toSorted((x, y) => x - y)
    const mean = sorted.reduce((sum, one) => sum + one, 0) / sorted.length
    const over = sorted.filter((one) => one >= 2).length
    console.log(
      `${name}, ${label}: ${mean.toFixed(2)} changes per variant and hour, worst ${sorted.at(-1)?.toFixed(2)}, ${over} of ${sorted.length} variants at 2 or more, $${(costs[label] / fleets).toFixed(2)}/h`,
    )
  }
}
