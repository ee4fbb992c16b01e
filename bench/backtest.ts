// How far the fluid plant is from the request-level one, on recorded traffic under our own controller and on static
// fleets; how fast both are; what two weeks of a fleet of ten variants take. CPU time of this process, not wall time.
// Usage: npx node bench/backtest.ts TRACE.csv [more traces] [--scale 4] [--step 5] [--static 3,3] [--floor REQUESTS/S] [--seeds 8] [--weeks] [--million]
// --floor: so much is planned for at all times under our own controller (`backtest --floor` finds it).
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { backtest, defaultPlant, defaultStepSeconds, type Setup } from '../src/backtest/backtest.ts'
import { withFloors } from '../src/backtest/floor.ts'
import { decideController, staticController } from '../src/backtest/ours.ts'
import type { Result } from '../src/backtest/result.ts'
import { readTrace } from '../src/backtest/traffic/readTrace.ts'
import { type Synthetic, syntheticSource } from '../src/backtest/traffic/synthetic.ts'
import type { Traffic } from '../src/backtest/traffic/traffic.ts'
import type { PolicySet } from '../src/core/policy.ts'
import { resolveFrom } from '../src/core/profiles/library.ts'
import { measuredProfiles } from '../src/core/profiles/measured.ts'
import { createTools } from '../src/core/tools.ts'
import { loadPolicies } from '../src/policy/load.ts'
import { problemText } from '../src/policy/problem.ts'
import type { TracedRequest } from '../src/simulation/arrivals.ts'
import { loadEngines } from '../src/solvers/engines.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    scale: { type: 'string', default: '4' },
    step: { type: 'string', default: String(defaultStepSeconds) },
    static: { type: 'string', multiple: true },
    floor: { type: 'string' },
    seeds: { type: 'string', default: '1' },
    weeks: { type: 'boolean' },
    million: { type: 'boolean' },
  },
})
const engines = await loadEngines()
const tickSeconds = 15

function policiesOf(text: string): PolicySet {
  const loaded = loadPolicies([{ file: 'bench.yaml', text }], resolveFrom(measuredProfiles))
  if (loaded.kind === 'loaded') return loaded.policies
  throw new Error(loaded.problems.map(problemText).join('\n'))
}

const twoGpus = policiesOf(`apiVersion: mixscaler.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: llama-70b, namespace: chat }
spec:
  model: RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic
  classes:
    - name: chat
      slo: { ttft: { p95: 1s }, itl: { p95: 50ms } }
  variants:
    - name: h100-tp4
      scaleTarget: { kind: Deployment, name: h100 }
      accelerator: { type: h100, count: 4 }
      cost: $12.40/h
      replicas: { min: 1, max: 60 }
      startup: 120s
    - name: h200-tp2
      scaleTarget: { kind: Deployment, name: h200 }
      accelerator: { type: h200, count: 2 }
      cost: $7.60/h
      replicas: { min: 1, max: 60 }
      startup: 120s
  behavior: { hpaTolerance: 0% }
`)

function* requestsIn(file: string): Generator<TracedRequest> {
  let first: number | undefined
  for (const request of readTrace(file, [readFileSync(file)])) {
    first ??= request.atSeconds
    yield { ...request, atSeconds: request.atSeconds - first }
  }
}

function trafficOf(file: string): Traffic {
  let last = 0
  for (const { atSeconds } of requestsIn(file)) last = atSeconds
  return {
    untilSeconds: Math.floor(last / 60) * 60,
    sources: [
      {
        classIndex: 0,
        scale: Number(values.scale),
        shiftSeconds: 0,
        source: { kind: 'requests', open: () => requestsIn(file) },
      },
    ],
  }
}

interface Timed {
  readonly result: Result
  readonly cpuSeconds: number
  /** Of these, in the controller. */
  readonly decideSeconds: number
}

function timed(
  policies: PolicySet,
  traffic: Traffic,
  fidelity: 'request' | 'fluid',
  counts?: readonly number[],
  seed = 1,
): Timed {
  const tools = createTools(engines)
  let decideMicroseconds = 0
  const setup: Setup = {
    ...{ policies, traffic, tools, fidelity, seed, tickSeconds, warmupSeconds: 600 },
    ...{ stepSeconds: Number(values.step), startupSigma: 0.1, modelError: 0, plant: defaultPlant },
    controllerOf: (site) => {
      const controller =
        counts === undefined
          ? decideController(site, tools, tickSeconds)
          : staticController(Object.fromEntries(site.variants.map(({ id }, i) => [id, counts[i] ?? 0])))
      return {
        ...controller,
        step: (observation) => {
          const before = process.cpuUsage().user
          const told = controller.step(observation)
          decideMicroseconds += process.cpuUsage().user - before
          return told
        },
      }
    },
  }
  const before = process.cpuUsage().user
  const going = backtest(setup)
  let next = going.next()
  while (next.done !== true) next = going.next()
  const cpuSeconds = (process.cpuUsage().user - before) / 1e6
  return { result: next.value, cpuSeconds, decideSeconds: decideMicroseconds / 1e6 }
}

function row(name: string, { result, cpuSeconds, decideSeconds }: Timed): string {
  const [chat] = result.classes
  const share = (value: number | undefined): string => `${((value ?? Number.NaN) * 100).toFixed(2)} %`
  const milliseconds = (value: number | undefined): string =>
    ((value ?? Number.NaN) * 1000).toFixed(0).padStart(6)
  const cells = [
    name.padEnd(34),
    share(chat?.attainment?.all).padStart(9),
    share(chat?.attainment?.ttft).padStart(9),
    share(chat?.attainment?.gap).padStart(9),
    result.dollarsPerHour.toFixed(2).padStart(8),
    milliseconds(chat?.ttftSeconds?.p95),
    milliseconds(chat?.ttftSeconds?.p99),
    milliseconds(chat?.tpotSeconds?.p95),
    `${result.events.scaleUps}/${result.events.scaleDowns}`.padStart(8),
    (cpuSeconds - decideSeconds).toFixed(2).padStart(8),
    decideSeconds.toFixed(2).padStart(8),
  ]
  return cells.join(' ')
}

if (positionals.length > 0) {
  console.log(
    'plant, fleet                        attained      TTFT      gaps      $/h  TTFT95 TTFT99 TPOT95 up/down   plant s decide s',
  )
}
const floored =
  values.floor === undefined
    ? twoGpus
    : withFloors(
        twoGpus,
        Object.fromEntries(
          twoGpus.policies.flatMap(({ classes }) => classes.map(({ id }) => [id, Number(values.floor)])),
        ),
      )
for (const file of positionals) {
  const traffic = trafficOf(file)
  for (const fleet of ['ours', ...(values.static ?? [])]) {
    const counts = fleet === 'ours' ? undefined : fleet.split(',').map(Number)
    const runs = (['request', 'fluid'] as const).map((fidelity) => timed(floored, traffic, fidelity, counts))
    const label = `${file.replace(/.*_|\.csv$/g, '')} x ${values.scale}, ${fleet}`
    for (const [i, run] of runs.entries())
      console.log(row(`${i === 0 ? 'request' : 'fluid  '} ${label}`, run))
    console.log(`        fluid against request: ${differences(...(runs as [Timed, Timed]))}`)
  }
  const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1)
  if (seeds.length < 2) continue
  const means = (['request', 'fluid'] as const).map((fidelity) => {
    const results = seeds.map((seed) => timed(floored, traffic, fidelity, undefined, seed))
    const mean = (of: (run: Timed) => number): number =>
      results.reduce((sum, run) => sum + of(run), 0) / seeds.length
    return { attained: mean(attained), cost: mean(({ result }) => result.dollarsPerHour), results }
  })
  const [request, fluid] = means as [(typeof means)[0], (typeof means)[0]]
  console.log(
    `        ours, mean of ${seeds.length} seeds: request ${(100 * request.attained).toFixed(2)} % at $${request.cost.toFixed(2)}, ` +
      `fluid ${(100 * fluid.attained).toFixed(2)} % at $${fluid.cost.toFixed(2)}: ` +
      `attainment ${percent(fluid.attained / request.attained - 1)}, cost ${percent(fluid.cost / request.cost - 1)}`,
  )
  for (const [plant, { results }] of [
    ['request', request],
    ['fluid  ', fluid],
  ] as const) {
    const of = (figure: (run: Timed) => number): string => {
      const sorted = results.map(figure).sort((x, y) => x - y)
      return `${(sorted[0] ?? Number.NaN).toFixed(2)} to ${(sorted.at(-1) ?? Number.NaN).toFixed(2)}`
    }
    console.log(
      `          ${plant} over the seeds: attainment ${of((run) => 100 * attained(run))} %, cost $${of(({ result }) => result.dollarsPerHour)}`,
    )
  }
  for (const [i, run] of request.results.entries())
    console.log(`          seed ${i + 1}: ${differences(run, fluid.results[i] as Timed)}`)
}

function attained({ result }: Timed): number {
  return result.classes[0]?.attainment?.all ?? Number.NaN
}

function differences(request: Timed, fluid: Timed): string {
  const cost = fluid.result.dollarsPerHour / request.result.dollarsPerHour - 1
  return `attainment ${percent(attained(fluid) / attained(request) - 1)}, cost ${percent(cost)}`
}

function percent(change: number): string {
  return `${change >= 0 ? '+' : ''}${(100 * change).toFixed(1)} %`
}

/** Ten variants of one model on made-up GPUs, each a little dearer and faster than the one before. */
function tenVariants(): PolicySet {
  const variant = (i: number): string => `
    - name: v${i}
      scaleTarget: { kind: Deployment, name: v${i} }
      accelerator: { type: g${i}, count: 1 }
      cost: $${(2 + 0.4 * i).toFixed(2)}/h
      replicas: { min: 1, max: 40 }
      startup: 120s
      profile: { a: ${(12 - 0.5 * i).toFixed(2)}, b: 0.03, c: 5e-5, ap: ${(12 - 0.5 * i).toFixed(2)}, bp: ${(0.05 - 0.003 * i).toFixed(3)}, d2: 0, g: 0, h: 2, kvTokens: 400000 }`
  return policiesOf(`apiVersion: mixscaler.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: ten, namespace: chat }
spec:
  model: ten
  classes:
    - name: chat
      slo: { ttft: { p95: 1s }, itl: { p95: 50ms } }
  variants:${Array.from({ length: 10 }, (_, i) => variant(i)).join('')}
  behavior: { hpaTolerance: 0% }
`)
}

function made(kind: Synthetic['kind'], rate: number, untilSeconds: number): Traffic {
  const synthetic: Synthetic = {
    ...{ kind, rate, swing: 0.6, periodSeconds: 86_400, peak: 0, count: 0, untilSeconds },
    ...{ promptTokens: 1155, outputTokens: 211, cv: 1.1 },
  }
  const source = syntheticSource(synthetic)
  return { untilSeconds, sources: [{ classIndex: 0, scale: 1, shiftSeconds: 0, source }] }
}

if (values.weeks === true) {
  const counts = Array.from({ length: 10 }, () => 3)
  const plant = timed(tenVariants(), made('diurnal', 60, 14 * 86_400), 'fluid', counts)
  const day = timed(tenVariants(), made('diurnal', 60, 86_400), 'fluid')
  const ticks = 86_400 / tickSeconds
  console.log(
    `two weeks, ten variants, fluid, steps of ${values.step} s: ${plant.cpuSeconds.toFixed(1)} s\n` +
      `one day under our own controller: plant and loop ${(day.cpuSeconds - day.decideSeconds).toFixed(1)} s, ` +
      `decide ${day.decideSeconds.toFixed(1)} s (${ticks} ticks of ${((1000 * day.decideSeconds) / ticks).toFixed(1)} ms); ` +
      `attainment ${(100 * (day.result.classes[0]?.attainment?.all ?? 0)).toFixed(2)} %`,
  )
}
if (values.million === true) {
  const { cpuSeconds, decideSeconds, result } = timed(
    twoGpus,
    made('constant', 100, 10_000),
    'request',
    [6, 12],
  )
  console.log(
    `request level: ${result.classes[0]?.requests} scored requests on 18 replicas: ${cpuSeconds.toFixed(1)} s, ` +
      `of which ${decideSeconds.toFixed(1)} s observing and deciding`,
  )
}
