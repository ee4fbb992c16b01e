// Flat load: does our scaler cost more than doing nothing? Against the cheapest static fleet that serves as well, found by
// trying, with hindsight, and against itself on the best single variant. One and three variants, several levels and seeds.
// Usage: npx node bench/flat.ts [--seeds 2] [--hours 6] [--levels 2.3,4.6,9.5,24] [--fidelity fluid] [--variants 1,3]
import { parseArgs } from 'node:util'
import { backtest, defaultPlant, defaultStepSeconds } from '../src/backtest/backtest.ts'
import type { ControllerOf } from '../src/backtest/controller.ts'
import { decideController, staticController } from '../src/backtest/ours.ts'
import { sizedFor } from '../src/backtest/sized.ts'
import { statedSizing } from '../src/backtest/statedSizing.ts'
import { lengthPoints } from '../src/backtest/traffic/lengthPoints.ts'
import { syntheticSource } from '../src/backtest/traffic/synthetic.ts'
import type { Traffic } from '../src/backtest/traffic/traffic.ts'
import type { PolicySet } from '../src/core/policy.ts'
import { resolveFrom } from '../src/core/profiles/library.ts'
import { measuredProfiles } from '../src/core/profiles/measured.ts'
import { rateOf } from '../src/core/sizing.ts'
import { createTools } from '../src/core/tools.ts'
import { loadPolicies } from '../src/policy/load.ts'
import { problemText } from '../src/policy/problem.ts'
import { loadEngines } from '../src/solvers/engines.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2' },
    hours: { type: 'string', default: '6' },
    levels: { type: 'string', default: '2.3,4.6,9.5,24' },
    fidelity: { type: 'string', default: 'fluid' },
    variants: { type: 'string', default: '1,3' },
  },
})
const engines = await loadEngines()
const fidelity = values.fidelity === 'request' ? 'request' : 'fluid'
const warmupSeconds = 3600
const tickSeconds = 15
const bounds = { ttft: 0.5, itl: 0.05 }
const lengths = { promptTokens: 1155, outputTokens: 211 }

/** The cards of bench/peers: $/h and the law's a, b, c of an 8B model. */
const cards = {
  h100: '{ a: 6.58, b: 0.0193, c: 5.46e-5, ap: 6.58, bp: 0.0193, d2: 0, g: 0, h: 2, kvTokens: 400000 }',
  l40s: '{ a: 19.74, b: 0.0579, c: 1.911e-4, ap: 19.74, bp: 0.0579, d2: 0, g: 0, h: 2, kvTokens: 180000 }',
  a100: '{ a: 10.53, b: 0.0405, c: 9.01e-5, ap: 10.53, bp: 0.0405, d2: 0, g: 0, h: 2, kvTokens: 400000 }',
} as const
const prices = { h100: 4, l40s: 1.5, a100: 2.2 } as const
type Card = keyof typeof cards

function policiesWith(names: readonly Card[]): PolicySet {
  const text = `apiVersion: mixscaler.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: flat, namespace: chat }
spec:
  model: flat
  classes:
    - name: chat
      slo: { ttft: { p95: ${bounds.ttft}s }, itl: { p95: ${bounds.itl}s } }
      assumedShape: { promptTokens: ${lengths.promptTokens}, outputTokens: ${lengths.outputTokens} }
  variants:${names
    .map(
      (name) => `
    - name: ${name}
      scaleTarget: { kind: Deployment, name: ${name} }
      accelerator: { type: ${name}, count: 1 }
      cost: $${prices[name]}/h
      replicas: { min: 0, max: 200 }
      startup: 120s
      profile: ${cards[name]}`,
    )
    .join('')}
  behavior: { hpaTolerance: 0% }
`
  const loaded = loadPolicies([{ file: 'flat.yaml', text }], resolveFrom(measuredProfiles))
  if (loaded.kind === 'loaded') return loaded.policies
  throw new Error(loaded.problems.map(problemText).join('\n'))
}

function flat(rate: number): Traffic {
  const untilSeconds = warmupSeconds + Number(values.hours) * 3600
  const source = syntheticSource({
    ...{ kind: 'constant', rate, swing: 0, periodSeconds: 86_400, peak: 0, count: 1, untilSeconds, cv: 1.1 },
    ...lengths,
  })
  return { untilSeconds, sources: [{ classIndex: 0, scale: 1, shiftSeconds: 0, source }] }
}

interface Ran {
  readonly attainment: number
  readonly dollarsPerHour: number
  readonly events: number
  /** 99 % of requests within their bounds, and the class's own p95s over all: what the policy asks for. */
  readonly keepsSlo: boolean
}

function played(policies: PolicySet, rate: number, seed: number, controllerOf: ControllerOf): Ran {
  const going = backtest({
    ...{ policies, traffic: flat(rate), tools: createTools(engines), controllerOf, fidelity, seed },
    ...{ tickSeconds, warmupSeconds, startupSigma: 0.1, modelError: 0, plant: defaultPlant },
    ...(fidelity === 'fluid' ? { stepSeconds: defaultStepSeconds } : {}),
  })
  let next = going.next()
  while (next.done !== true) next = going.next()
  const { classes, dollarsPerHour, events } = next.value
  const [chat] = classes
  const attainment = chat?.attainment?.all ?? Number.NaN
  return {
    attainment,
    keepsSlo:
      attainment >= 0.99 &&
      (chat?.ttftSeconds?.p95 ?? Infinity) <= bounds.ttft &&
      (chat?.itlSeconds?.p95 ?? Infinity) <= bounds.itl,
    dollarsPerHour,
    events: events.scaleUps + events.scaleDowns,
  }
}

function ours(policies: PolicySet, rate: number, seed: number): Ran {
  return played(policies, rate, seed, (site) => decideController(site, createTools(engines), tickSeconds))
}

/** Fleets worth trying: what the decision sizes for 0.7 to 1.3 of the rate, and single variants around their need. */
function staticFleets(names: readonly Card[], rate: number): readonly Readonly<Record<string, number>>[] {
  const sets = [names, ...(names.length > 1 ? names.map((name) => [name]) : [])]
  const fleets = sets.flatMap((set) =>
    Array.from({ length: 31 }, (_, i) => {
      const requestsPerSecond = rate * (0.7 + 0.02 * i)
      const load = { 'chat/flat/chat': { requestsPerSecond, ...lengths } }
      // Variants that are not named would keep what they begin with.
      const none = Object.fromEntries(names.map((name) => [`chat/flat/${name}`, 0]))
      return { ...none, ...sizedFor(policiesWith(set), load, tools) }
    }),
  )
  return [...new Map(fleets.map((fleet) => [JSON.stringify(fleet), fleet])).values()]
}

const tools = createTools(engines)

function costOf(fleet: Readonly<Record<string, number>>): number {
  return Object.entries(fleet).reduce(
    (sum, [id, count]) => sum + count * prices[id.slice(id.lastIndexOf('/') + 1) as Card],
    0,
  )
}

interface Cheapest {
  /** That attains as much as ours. */
  readonly asMuch?: number
  /** That keeps the SLO as the policy states it. */
  readonly keepsSlo?: number
  /** That has 99 % of requests within their bounds, whatever its percentiles. */
  readonly inTime?: number
}

/** Dollars per hour; absent where no fleet that was tried does. */
function cheapest(names: readonly Card[], rate: number, seed: number, own: Ran): Cheapest {
  let found: Cheapest = {}
  for (const fleet of [...staticFleets(names, rate)].sort((x, y) => costOf(x) - costOf(y))) {
    const ran = played(policiesWith(names), rate, seed, () => staticController(fleet))
    const cost = ran.dollarsPerHour
    if (ran.attainment >= 0.99) found = { inTime: cost, ...found }
    if (ran.keepsSlo) found = { keepsSlo: cost, ...found }
    if (ran.attainment >= own.attainment) found = { asMuch: cost, ...found }
    if (found.asMuch !== undefined && found.keepsSlo !== undefined) break
  }
  return found
}

function capacityOfOne(): number {
  const policies = policiesWith(['h100'])
  const [policy] = policies.policies
  const [only] = policy?.classes ?? []
  const [variant] = policy?.variants ?? []
  if (policy === undefined || only === undefined || variant === undefined) throw new Error('no policy')
  const shape = {
    promptTokens: lengthPoints({ mean: lengths.promptTokens }),
    outputTokens: lengthPoints({ mean: lengths.outputTokens }),
    prefixHitRate: 0,
  }
  return rateOf(statedSizing(policy, () => shape, tools.capacities).capacityOf(only, variant, 16))
}

const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1)
const one = capacityOfOne()
const over = (cost: number, than: number | undefined): string =>
  than === undefined
    ? '     -'
    : `${cost >= than ? '+' : ''}${(100 * (cost / than - 1)).toFixed(1)} %`.padStart(8)
console.log(
  `${fidelity} plant, ${values.hours} h scored; one H100 carries ${one.toFixed(1)} requests/s; ours against static fleets that attain as much, keep the SLO (p95s too), or have 99 % in time, and against ours on the best single variant\n` +
    'variants  level seed  attained      $/h events   as much keeps SLO  99 % in time  best single',
)
for (const names of [['h100'], ['h100', 'l40s', 'a100']] as const satisfies readonly (readonly Card[])[]) {
  if (!values.variants.split(',').includes(String(names.length))) continue
  for (const level of values.levels.split(',').map(Number)) {
    for (const seed of seeds) {
      const rate = level * one
      const own = ours(policiesWith(names), rate, seed)
      const { asMuch, keepsSlo, inTime } = cheapest(names, rate, seed, own)
      const singles =
        names.length === 1 ? [] : names.map((name) => ours(policiesWith([name]), rate, seed).dollarsPerHour)
      const single = singles.length === 0 ? undefined : Math.min(...singles)
      console.log(
        `${String(names.length).padStart(8)} ${String(level).padStart(6)} ${String(seed).padStart(4)} ${(100 * own.attainment).toFixed(3).padStart(8)} % ${own.dollarsPerHour.toFixed(2).padStart(8)} ${String(own.events).padStart(6)}  ${over(own.dollarsPerHour, asMuch)} ${over(own.dollarsPerHour, keepsSlo)} ${over(own.dollarsPerHour, inTime)} ${over(own.dollarsPerHour, single)}`,
      )
    }
  }
}
