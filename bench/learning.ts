// What calibration and headroom feedback are worth: the whole loop on a virtual clock, request by request, with the real
// `decide`. Part `speed` plays fleets that are not as fast as their profile, and what must not make one look so; part
// `errors` puts an error into the capacity model and prints attainment and cost with and without what is learnt.
import { parseArgs } from 'node:util'
import type { Behavior, PolicySet } from '../src/core/policy.ts'
import { resolveFrom } from '../src/core/profiles/library.ts'
import { measuredProfiles } from '../src/core/profiles/measured.ts'
import { createTools, type Tools } from '../src/core/tools.ts'
import { fleetSettings, policyText } from '../src/demo/scenario.ts'
import { loadPolicies } from '../src/policy/load.ts'
import { constantRate } from '../src/simulation/arrivals.ts'
import { loadEngines } from '../src/solvers/engines.ts'
import { closedLoop } from '../test/stage/closedLoop.ts'
import { calm, coldPods, liar, playOffProfile, restarts, type Trouble } from '../test/stage/offProfile.ts'
import { azureConv, madeDay, servegenDay, type Traffic } from './learningTraffic.ts'

const help = `Usage: npx node bench/learning.ts [flags]

  --part NAME      speed or errors (default: both)
  --hours N        of the made day and of ServeGen's; the made day is squeezed into them (default 24)
  --data DIR       also plays the Azure conversation trace and two ServeGen days from there
  --only NAME      one traffic: day, azure-conv, servegen-large, servegen-reason
  --errors LIST    of the capacity model, such as --errors=-0.1,0.1 (default -0.25,-0.1,0,0.1,0.3)
  --modes LIST     of off, headroom, speed, both (default off,headroom,both)
  --headroom N, --quantile N   instead of the defaults of behavior
  --seed N         (default 1)
`
const learning: Readonly<Record<string, Behavior['learn']>> = {
  off: { headroom: 'off', speed: 'off' },
  headroom: { headroom: 'on', speed: 'off' },
  speed: { headroom: 'off', speed: 'on' },
  both: { headroom: 'on', speed: 'on' },
}

interface Settings {
  readonly hours: number
  readonly seed: number
  readonly errors: readonly number[]
  readonly modes: readonly string[]
  readonly behavior: Partial<Behavior>
  readonly data?: string
  readonly only?: string
}

const { values } = parseArgs({
  options: {
    part: { type: 'string' },
    hours: { type: 'string', default: '24' },
    data: { type: 'string' },
    only: { type: 'string' },
    errors: { type: 'string', default: '-0.25,-0.1,0,0.1,0.3' },
    modes: { type: 'string', default: 'off,headroom,both' },
    headroom: { type: 'string' },
    quantile: { type: 'string' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean' },
  },
})
if (values.help === true) process.stdout.write(help)
else {
  const engines = await loadEngines()
  const { data, only, headroom, quantile } = values
  const settings: Settings = {
    hours: Number(values.hours),
    seed: Number(values.seed),
    errors: values.errors.split(',').map(Number),
    modes: values.modes.split(','),
    behavior: {
      ...(headroom === undefined ? {} : { headroom: Number(headroom) }),
      ...(quantile === undefined ? {} : { forecastQuantile: Number(quantile) }),
    },
    ...(data === undefined ? {} : { data }),
    ...(only === undefined ? {} : { only }),
  }
  if (values.part !== 'errors') speedPart(createTools(engines), settings.seed)
  if (values.part !== 'speed') await errorsPart(() => createTools(engines), settings)
}

/** An 8B model on L40S at 25 requests/s, half an hour. Off: |measured / true - 1| of what sizing takes, from minute 15. */
function speedPart(tools: Tools, seed: number): void {
  const cases: readonly (readonly [factor: number, trouble: Trouble, cv: number])[] = [
    [1.3, calm, 1],
    [1 / 1.3, calm, 1],
    [1, { ...calm, name: 'bursty arrivals' }, 2],
    [1, restarts, 1],
    [1, coldPods, 1],
    [1, liar('sum', 10), 1],
    [1, liar('sum', 0.1), 1],
    [1, liar('count', 3), 1],
    [1, liar('count', 0.3), 1],
    [1.3, liar('sum', 0.5), 1],
  ]
  console.log(
    'true time/profile  trouble                                     found after  off by  kept SLO after',
  )
  for (const [factor, trouble, cv] of cases) {
    const { ticks } = playOffProfile(
      {
        truth: { base: factor, slopes: factor, overheadMs: 0 },
        rate: constantRate(25),
        cv,
        seconds: 1800,
        seed,
        learn: { headroom: 'on', speed: 'on' },
        trouble,
      },
      tools,
    )
    const off = ticks.map(({ ratio }) => Math.abs(ratio / factor - 1))
    const found = ticks[off.findIndex((error) => error < 0.05)]
    const late = ticks.findIndex(({ atSeconds }) => atSeconds >= 900)
    const from = ticks[late]
    const end = ticks.at(-1)
    const requests = (end?.finished ?? 0) - (from?.finished ?? 0)
    const broken =
      (end?.finished ?? 0) * (1 - (end?.byPercentile ?? 1)) -
      (from?.finished ?? 0) * (1 - (from?.byPercentile ?? 1))
    const row = [
      factor.toFixed(2).padStart(17),
      trouble.name.padEnd(42),
      (factor === 1 ? '-' : `${((found?.atSeconds ?? Number.NaN) / 60).toFixed(1)} min`).padStart(11),
      `${(100 * Math.max(...off.slice(late))).toFixed(1)} %`.padStart(6),
      `${(100 * (1 - broken / requests)).toFixed(2)} %`.padStart(14),
    ]
    console.log(row.join('  '))
  }
}

async function errorsPart(tools: () => Tools, settings: Settings): Promise<void> {
  console.log(
    'traffic          error  learnt      by percentile  by request     cost/h  headroom learnt  changes',
  )
  for (const traffic of await traffics(settings)) {
    for (const error of settings.errors) {
      for (const mode of settings.modes) {
        const learn = learning[mode]
        if (learn === undefined)
          throw new Error(`--modes knows ${Object.keys(learning).join(', ')}: got "${mode}"`)
        const done = play(traffic, mistaken(tools(), error), { ...settings.behavior, learn }, settings.seed)
        const row = [
          traffic.name.padEnd(15),
          `${(100 * error).toFixed(0)} %`.padStart(6),
          mode.padEnd(10),
          `${(100 * done.byPercentile).toFixed(2)} %`.padStart(13),
          `${(100 * done.byRequest).toFixed(2)} %`.padStart(10),
          `$${done.costPerHour.toFixed(2)}`.padStart(9),
          `${(100 * done.learnt).toFixed(1)} %`.padStart(15),
          String(done.changes).padStart(7),
        ]
        console.log(row.join('  '))
      }
    }
  }
}

async function traffics({ hours, data, only }: Settings): Promise<readonly Traffic[]> {
  const recorded =
    data === undefined
      ? []
      : [
          await azureConv(data),
          await servegenDay(data, 'servegen_language_m_large_10min.csv', 'servegen-large', 14, hours),
          await servegenDay(data, 'servegen_reason_deepseek_r1_10min.csv', 'servegen-reason', 2, hours),
        ]
  return [madeDay(hours), ...recorded].filter(({ name }) => only === undefined || name === only)
}

/** A capacity model that answers too much by this share. */
function mistaken(tools: Tools, error: number): Tools {
  return {
    ...tools,
    capacities: {
      capacityOf: (question) => {
        const answer = tools.capacities.capacityOf(question)
        if (answer.kind === 'infeasible') return answer
        return { ...answer, requestsPerSecond: answer.requestsPerSecond * (1 + error) }
      },
    },
  }
}

interface Outcome {
  readonly byPercentile: number
  readonly byRequest: number
  readonly costPerHour: number
  /** At the end. */
  readonly learnt: number
  /** Ticks at which some target changed. */
  readonly changes: number
}

function play(traffic: Traffic, tools: Tools, behavior: Partial<Behavior>, seed: number): Outcome {
  const policies = demoPolicies(behavior)
  const [policy] = policies.policies
  if (policy === undefined) throw new Error('no policy')
  const loop = closedLoop({
    policies,
    fleet: fleetSettings(policy, { 'h100-tp4': 2, 'h200-tp2': 2 }, seed),
    arrivals: traffic.arrivals(seed),
    tools,
    percentile: 0.95,
  })
  let changes = 0
  let targets = ''
  let learnt = 0
  loop.play(traffic.seconds, ({ decision }) => {
    const [decided] = decision.policies
    const now = JSON.stringify(decided?.variants.map(({ target }) => target))
    if (now !== targets) changes++
    targets = now
    learnt = decided?.classes[0]?.headroom.learnt ?? 0
  })
  const spent = Object.values(loop.fleet.cost()).reduce((sum, dollars) => sum + dollars, 0)
  const { byPercentile, byRequest } = loop.service
  return { byPercentile, byRequest, costPerHour: spent / (traffic.seconds / 3600), learnt, changes }
}

/** The demo's policy without its scarce pool. */
function demoPolicies(behavior: Partial<Behavior>): PolicySet {
  const loaded = loadPolicies([{ file: 'bench.yaml', text: policyText }], resolveFrom(measuredProfiles))
  if (loaded.kind !== 'loaded') throw new Error("the demo's policy is not valid")
  const { policies, ...rest } = loaded.policies
  return {
    ...rest,
    pools: [],
    policies: policies.map((policy) => ({
      ...policy,
      variants: policy.variants.map((variant) => ({ ...variant, replicas: { min: 1, max: 60 } })),
      behavior: { ...policy.behavior, ...behavior },
    })),
  }
}
