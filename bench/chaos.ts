// Does the scaler keep its nerve? A day of traffic on the request-level fleet under the production loop, once as it is and once with
// faults of every kind; attainment and cost side by side, in all and in the minutes that each kind touches; targets of 0 under
// load; and every restart beside a twin that was never ended. KEDA and the HPA act as they do: an error holds.
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Site, siteOf } from '../src/backtest/site.ts'
import { syntheticSource } from '../src/backtest/traffic/synthetic.ts'
import type { ClassTraffic, Traffic } from '../src/backtest/traffic/traffic.ts'
import { openTraffic, scanTrace } from '../src/cli/traceFiles.ts'
import type { Behavior, PolicySet } from '../src/core/policy.ts'
import { resolveFrom } from '../src/core/profiles/library.ts'
import { measuredProfiles } from '../src/core/profiles/measured.ts'
import { createTools } from '../src/core/tools.ts'
import { policyText } from '../src/demo/scenario.ts'
import { loadPolicies } from '../src/policy/load.ts'
import { loadEngines } from '../src/solvers/engines.ts'
import { drawFaults, type Fault, type FaultKind, faultKinds, habits } from './chaos/faults.ts'
import { type Played, play, type Restart } from './chaos/play.ts'

const help = `Usage: npx node bench/chaos.ts [flags]

  --hours N      of traffic (default 24); the first half hour has no faults and is not scored
  --seed N       (default 1)
  --data DIR     also plays a day of ServeGen large and reason from there
  --traffic T    only one: diurnal, large, reason
  --only LIST    kinds of faults: ${faultKinds.join(', ')}
  --each         every kind alone as well, over the whole time
  --rate N       times as many faults (default 1)
  --learn off    without calibration and headroom feedback
  --behavior JSON   more changes of the policy's behavior
  --trace FILE   every tick of both runs, as JSON lines
  --verbose      every restart, and where its memory and the twin's first differed

Exit code 1 if a bar is missed: attainment within 1 point, no target of 0 under load, no target changed by a restart.`

const warmupSeconds = 1800
/** What a fault leaves behind is counted as its own so long after its end. */
const afterSeconds = 600
const mostPoints = 1

const { values } = parseArgs({
  options: {
    hours: { type: 'string', default: '24' },
    seed: { type: 'string', default: '1' },
    data: { type: 'string' },
    traffic: { type: 'string' },
    only: { type: 'string' },
    each: { type: 'boolean' },
    rate: { type: 'string', default: '1' },
    learn: { type: 'string', default: 'on' },
    behavior: { type: 'string', default: '{}' },
    trace: { type: 'string' },
    verbose: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})
if (values.help === true) console.log(help)
else await compareAll()

async function compareAll(): Promise<void> {
  const engines = await loadEngines()
  const site = siteOf(demoPolicies(), { startupSigma: 0.1, modelError: 0 })
  let kept = true
  for (const [name, traffic] of Object.entries(traffics())) {
    if (values.traffic !== undefined && values.traffic !== name) continue
    const seed = Number(values.seed)
    const faults = drawFaults({
      site,
      kinds: kindsAsked(),
      rate: Number(values.rate),
      fromSeconds: warmupSeconds,
      untilSeconds: traffic.untilSeconds,
      seed,
    })
    const common = { site, traffic, tools: createTools(engines), warmupSeconds, seed }
    const calm = await play({ ...common, faults: [] })
    if (values.each === true) await reportEach(site, calm, faults, (own) => play({ ...common, faults: own }))
    const chaos = await play({ ...common, faults })
    kept = report(name, site, faults, calm, chaos) && kept
    for (const [run, { told }] of Object.entries({ calm, chaos })) {
      if (values.trace === undefined) break
      const lines = told.map((tick) => `${JSON.stringify({ traffic: name, run, ...tick })}\n`)
      appendFileSync(values.trace, lines.join(''))
    }
  }
  if (!kept) process.exitCode = 1
}

function kindsAsked(): readonly FaultKind[] {
  const asked = values.only?.split(',') ?? faultKinds
  const unknown = asked.filter((kind) => !faultKinds.includes(kind as FaultKind))
  if (unknown.length > 0) throw new Error(`--only knows ${faultKinds.join(', ')}: got "${unknown.join(',')}"`)
  return asked as readonly FaultKind[]
}

/** The demo's policy: two variants, the cheaper one in a pool of 8 GPUs. */
function demoPolicies(): PolicySet {
  const loaded = loadPolicies([{ file: 'bench.yaml', text: policyText }], resolveFrom(measuredProfiles))
  if (loaded.kind !== 'loaded') throw new Error("the demo's policy is not valid")
  const learn: Behavior['learn'] =
    values.learn === 'off' ? { headroom: 'off', speed: 'off' } : { headroom: 'on', speed: 'on' }
  const changes: Partial<Behavior> = { learn, ...JSON.parse(values.behavior) }
  return {
    ...loaded.policies,
    policies: loaded.policies.policies.map((policy) => ({
      ...policy,
      behavior: { ...policy.behavior, ...changes },
    })),
  }
}

function traffics(): Readonly<Record<string, Traffic>> {
  const untilSeconds = Number(values.hours) * 3600
  const one = (source: Pick<ClassTraffic, 'source' | 'scale'>): Traffic => {
    return { untilSeconds, sources: [{ classIndex: 0, shiftSeconds: 0, ...source }] }
  }
  const wave = { kind: 'diurnal', rate: 14, swing: 0.7, periodSeconds: 86_400 } as const
  const lengths = { promptTokens: 1155, outputTokens: 211, cv: 1 }
  const diurnal = one({
    scale: 1,
    source: syntheticSource({ ...wave, ...lengths, untilSeconds, peak: 0, count: 0 }),
  })
  if (values.data === undefined) return { diurnal }
  const { data } = values
  const recorded = (file: string, mean: number): Traffic => {
    const { description } = scanTrace(join(data, file), { inside: 'bridge', bridgeSeconds: 3600 })
    const opened = openTraffic({
      untilSeconds,
      sources: [{ classIndex: 0, scale: 1, shiftSeconds: 0, source: description }],
    })
    const [source] = opened.sources
    if (source?.source.kind !== 'rates') throw new Error(`${file} is no rate series`)
    const day = source.source.windows.filter(({ fromSeconds }) => fromSeconds < untilSeconds)
    const average = day.reduce((sum, { requestsPerSecond }) => sum + requestsPerSecond, 0) / day.length
    return one({ source: source.source, scale: mean / average })
  }
  return {
    diurnal,
    large: recorded('servegen_language_m_large_10min.csv', 14),
    reason: recorded('servegen_reason_deepseek_r1_10min.csv', 2),
  }
}

async function reportEach(
  site: Site,
  calm: Played,
  faults: readonly Fault[],
  playWith: (faults: readonly Fault[]) => Promise<Played>,
): Promise<void> {
  console.log(
    'alone               faults     calm     chaos   points  $/h   moves  at 0  blind falls  restarts changed',
  )
  const all = [...calm.minutes.arrived.keys()].filter((minute) => minute * 60 >= warmupSeconds)
  for (const kind of [undefined, ...kindsAsked()]) {
    const own = faults.filter((fault) => fault.kind === kind)
    const chaos = kind === undefined ? calm : await playWith(own)
    const cells = [
      (kind ?? 'nothing').padEnd(18),
      String(own.length).padStart(7),
      `${(100 * shareGood(calm, all)).toFixed(2)} %`,
      `${(100 * shareGood(chaos, all)).toFixed(2)} %`,
      (100 * (shareGood(calm, all) - shareGood(chaos, all))).toFixed(2).padStart(6),
      chaos.dollarsPerHour.toFixed(2),
      String(movesOf(site, chaos)).padStart(5),
      String(chaos.zeros.length).padStart(4),
      String(chaos.blindFalls.length).padStart(4),
      `${chaos.restarts.filter(({ differences }) => differences.length > 0).length} of ${chaos.restarts.length}`.padStart(
        10,
      ),
    ]
    console.log(cells.join('  '))
  }
}

function shareGood({ minutes: { arrived, good } }: Played, minutes: readonly number[]): number {
  return sum(good, minutes) / sum(arrived, minutes)
}

/** Whether all bars are kept. */
function report(name: string, site: Site, faults: readonly Fault[], calm: Played, chaos: Played): boolean {
  const minutes = calm.minutes.arrived.map((_, minute) => minute)
  const scored = [...minutes].filter((minute) => minute * 60 >= warmupSeconds)
  console.log(`\n${name}, ${values.hours} h, seed ${values.seed}, learning ${values.learn}`)
  console.log('                    faults  minutes  requests   calm      chaos     points')
  for (const kind of kindsAsked()) {
    const own = faults.filter((fault) => fault.kind === kind)
    const touched = scored.filter((minute) => own.some((fault) => touches(fault, minute)))
    row(kind, String(own.length), touched, calm, chaos, habits[kind].what)
  }
  const quiet = scored.filter((minute) => !faults.some((fault) => touches(fault, minute)))
  row('no fault near', '', quiet, calm, chaos)
  const points = row('in all', String(faults.length), scored, calm, chaos)
  const dearer = chaos.dollarsPerHour / calm.dollarsPerHour - 1
  console.log(
    `cost: $${calm.dollarsPerHour.toFixed(2)}/h calm, $${chaos.dollarsPerHour.toFixed(2)}/h chaos (${(100 * dearer).toFixed(1)} %)`,
  )
  console.log(`ticks: ${JSON.stringify(chaos.outcomes)}`)
  console.log(
    `targets of 0 under load: ${chaos.zeros.length}${chaos.zeros.length > 0 ? `, at ${chaos.zeros.slice(0, 5).join(', ')} s` : ''}`,
  )
  console.log(`targets lowered of variants that could not be seen: ${chaos.blindFalls.length}`)
  for (const fall of chaos.blindFalls) console.log(`  ${fall}`)
  const changed = reportRestarts(faults, chaos)
  console.log(`moves: ${movesOf(site, calm)} calm, ${movesOf(site, chaos)} chaos`)
  const kept =
    points <= mostPoints && chaos.zeros.length === 0 && chaos.blindFalls.length === 0 && changed === 0
  console.log(kept ? 'all bars kept' : 'MISSED')
  return kept
}

function touches({ fromSeconds, untilSeconds }: Fault, minute: number): boolean {
  return fromSeconds < 60 * (minute + 1) && 60 * minute < untilSeconds + afterSeconds
}

/** Points lost. */
function row(
  name: string,
  count: string,
  minutes: readonly number[],
  calm: Played,
  chaos: Played,
  what = '',
): number {
  const points = 100 * (shareGood(calm, minutes) - shareGood(chaos, minutes))
  const percent = (value: number): string => `${(100 * value).toFixed(2)} %`.padStart(9)
  const numbers = [
    count.padStart(5),
    String(minutes.length).padStart(7),
    sum(calm.minutes.arrived, minutes).toFixed(0).padStart(8),
  ]
  console.log(
    `${name.padEnd(18)}  ${numbers.join('  ')}  ${percent(shareGood(calm, minutes))} ${percent(shareGood(chaos, minutes))} ${points.toFixed(2).padStart(7)}  ${what}`,
  )
  return points
}

function sum(counts: Float64Array, minutes: readonly number[]): number {
  return minutes.reduce((total, minute) => total + (counts[minute] ?? 0), 0)
}

function reportRestarts(faults: readonly Fault[], { restarts }: Played): number {
  const changed = restarts.filter(({ differences }) => differences.length > 0)
  const ticks = restarts.reduce((total, { compared }) => total + compared, 0)
  const different = restarts.reduce((total, { differences }) => total + differences.length, 0)
  console.log(
    `restarts: ${restarts.length}, compared with their twins at ${ticks} ticks; ${changed.length} of them changed targets, at ${different} ticks`,
  )
  for (const restart of values.verbose === true ? restarts : changed.slice(0, 6)) tellRestart(faults, restart)
  return changed.length
}

function tellRestart(
  faults: readonly Fault[],
  { fault, differences, compared, lost, parted }: Restart,
): void {
  const near = (other: Fault) =>
    other !== fault &&
    other.fromSeconds < fault.untilSeconds + 60 &&
    fault.fromSeconds < other.untilSeconds + 60
  const others = faults.filter(near).map(({ kind }) => kind)
  const after = (second = 0) => `${second - fault.untilSeconds} s after`
  const [first] = differences
  const said = [
    `  at ${fault.fromSeconds} s, ${fault.untilSeconds - fault.fromSeconds} s down: ${differences.length} of ${compared} ticks`,
    first === undefined ? '' : `, first ${after(first.second)}: ${first.how}`,
    others.length > 0 ? `; beside ${others.join(', ')}` : '',
    lost.length > 0 ? `; lost ${lost.join('; ')}` : '',
  ]
  console.log(said.join(''))
  if (values.verbose !== true) return
  for (const where of parted?.where ?? []) console.log(`    memory ${after(parted?.second)}: ${where}`)
}

/** Changes of what KEDA was told. */
function movesOf(site: Site, { told }: Played): number {
  let moves = 0
  for (const { id } of site.variants) {
    let last: number | undefined
    for (const { targets } of told) {
      const now = targets[id]
      if (typeof now !== 'number') continue
      if (last !== undefined && last !== now) moves += 1
      last = now
    }
  }
  return moves
}
