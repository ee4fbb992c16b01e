// The main job on real input: a recorded trace played against a simulated fleet whose metrics a real Prometheus
// scrapes, `mixscaler serve` deciding from it, KEDA and the HPA obeying over gRPC. Prints attainment, replicas
// over time and cost, beside the static fleet that its peak would have needed.
//
// Faster than life by similarity: at --speed 5 every duration of the world (arrivals, iteration times, start-up,
// SLO, scrape, tick, HPA) is five times shorter, so that ratios between them, and with them the result, stay.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { PolicySet } from '../src/core/policy.ts'
import { resolveFrom } from '../src/core/profiles/library.ts'
import { measuredProfiles } from '../src/core/profiles/measured.ts'
import { kedaDriver } from '../src/demo/kedaDriver.ts'
import { kedaClient } from '../src/demo/kedaProtocol.ts'
import { fleetSettings, scaledObjects } from '../src/demo/scenario.ts'
import { loadPolicies } from '../src/policy/load.ts'
import { problemText } from '../src/policy/problem.ts'
import { mergeArrivals, type TracedRequest, traceArrivals } from '../src/simulation/arrivals.ts'
import { Fleet, type FleetSettings } from '../src/simulation/fleet.ts'
import type { Latencies } from '../src/simulation/latencies.ts'
import type { Request } from '../src/simulation/request.ts'
import { Score } from '../src/simulation/score.ts'
import { World } from '../src/simulation/world.ts'
import { type LiveFleet, startLiveFleet } from '../test/stage/liveFleet.ts'
import { scrapeListed, startPrometheus } from '../test/stage/prometheus.ts'
import { type RealScaler, startScaler } from '../test/stage/scaler.ts'

const help = `Usage: npx node bench/trace.ts --trace FILE [flags]

Plays an Azure LLM inference trace (columns TIMESTAMP, ContextTokens, GeneratedTokens) against a simulated fleet
of a 70B model on two kinds of GPU, behind a real Prometheus and a real 'mixscaler serve'.

  --trace FILE     the trace
  --speed N        how many times faster than life (default 5; 1 is real time)
  --copies N       so many copies of the trace at once, shifted against each other (default 4)
  --minutes N      of the trace (default: all of it)
  --startup N      seconds from asking for a replica to its first request (default 120)
  --quantile N     behavior.forecastQuantile (default 0.75)
  --headroom N     behavior.headroom (default 0.03)
  --help
`
const model = 'RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic'
/** Of the trace: Prometheus and the scaler come up before the first request. */
const warmupSeconds = 60

interface Settings {
  readonly trace: string
  readonly speed: number
  readonly copies: number
  readonly minutes: number
  readonly startupSeconds: number
  readonly quantile: number
  readonly headroom: number
}

const settings = settingsFrom(process.argv.slice(2))
if (settings !== undefined) await run(settings)

function settingsFrom(args: readonly string[]): Settings | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      trace: { type: 'string' },
      speed: { type: 'string', default: '5' },
      copies: { type: 'string', default: '4' },
      minutes: { type: 'string', default: 'Infinity' },
      startup: { type: 'string', default: '120' },
      quantile: { type: 'string', default: '0.75' },
      headroom: { type: 'string', default: '0.03' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true || values.trace === undefined) {
    process.stdout.write(help)
    process.exitCode = values.help === true ? 0 : 2
    return undefined
  }
  return {
    trace: values.trace,
    speed: positive('speed', values.speed),
    copies: positive('copies', values.copies),
    minutes: positive('minutes', values.minutes),
    startupSeconds: positive('startup', values.startup),
    quantile: positive('quantile', values.quantile),
    headroom: positive('headroom', values.headroom),
  }
}

function positive(flag: string, text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new Error(`--${flag} must be a number above 0: got "${text}"`)
  return value
}

async function run(options: Settings): Promise<void> {
  const { speed } = options
  const directory = await mkdtemp(join(tmpdir(), 'mixscaler-trace-'))
  const policyFile = join(directory, 'policy.yaml')
  await writeFile(policyFile, policyText(options))
  const policies = loaded(policyText(options))
  const trace = await readTrace(options)
  const fleet = await startLiveFleet(
    fleetOf(policies, { 'h100-tp4': 3, 'h200-tp2': 3 }),
    arrivals(trace, options),
  )
  const prometheus = await startPrometheus(scrapeListed(fleet.targetsUrl, Math.max(1, Math.round(5 / speed))))
  const scaler = await startScaler([
    ...['--policy', policyFile, '--prometheus', prometheus.url, '--kubernetes', 'off'],
    ...['--interval', duration(15, speed), '--window', duration(60, speed)],
    ...['--max-sample-age', duration(45, speed)],
  ])
  try {
    const minutes = await drive(fleet, scaler, policies, options)
    report(fleet, minutes, options)
    reportStatic(policies, minutes, trace, options)
  } finally {
    await scaler.stop()
    await prometheus.close()
    await fleet.close()
    await rm(directory, { recursive: true, force: true })
  }
}

/** All durations are divided by the speed, and the profiles with them. */
function policyText({ speed, startupSeconds, quantile, headroom }: Settings): string {
  const variant = (name: string, type: string, count: number, cost: string): string => `
    - name: ${name}
      scaleTarget: { kind: Deployment, name: ${name} }
      accelerator: { type: ${type}, count: ${count} }
      cost: ${cost}
      replicas: { min: 1, max: 30 }
      startup: ${duration(startupSeconds, speed)}
      profile: ${JSON.stringify(profileOf(type, count, speed))}`
  return `apiVersion: mixscaler.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: llama-70b, namespace: chat }
spec:
  model: ${model}
  classes:
    - name: chat
      slo: { ttft: { p95: ${duration(1, speed)} }, itl: { p95: ${duration(0.1, speed)} } }
  variants:${variant('h100-tp4', 'h100', 4, '$12.40/h')}${variant('h200-tp2', 'h200', 2, '$7.60/h')}
  behavior:
    hpaTolerance: 0%
    forecastQuantile: ${quantile}
    headroom: ${headroom}
    scaleDown: { hold: ${duration(120, speed)} }
    stalenessBudget: ${duration(120, speed)}
`
}

function duration(seconds: number, speed: number): string {
  return `${Math.round((seconds * 1000) / speed)}ms`
}

function profileOf(acceleratorType: string, acceleratorCount: number, speed: number) {
  const found = resolveFrom(measuredProfiles)({ model, acceleratorType, acceleratorCount })
  if (found.kind !== 'found')
    throw new Error(`no profile of ${model} on ${acceleratorCount} x ${acceleratorType}`)
  const { a, b, c, ap, bp, d2, g, h, kvTokens = 400_000 } = found.profile
  const law = Object.entries({ a, b, c, ap, bp, d2, g, h }).map(([name, value]) => [name, value / speed])
  return { ...Object.fromEntries(law), kvTokens }
}

function loaded(text: string): PolicySet {
  const answer = loadPolicies([{ file: 'policy.yaml', text }], resolveFrom(measuredProfiles))
  if (answer.kind === 'loaded') return answer.policies
  throw new Error(answer.problems.map(problemText).join('\n'))
}

function fleetOf({ policies }: PolicySet, replicas: Readonly<Record<string, number>>): FleetSettings {
  const [policy] = policies
  if (policy === undefined) throw new Error('no policy')
  return fleetSettings(policy, replicas, 1)
}

async function readTrace({ trace, minutes }: Settings): Promise<readonly TracedRequest[]> {
  const [, ...lines] = (await readFile(trace, 'utf8')).trim().split('\n')
  const requests = lines.map((line) => {
    const [time = '', prompt = '', output = ''] = line.split(',')
    const atSeconds = Date.parse(`${time.slice(0, 23).replace(' ', 'T')}Z`) / 1000
    return { atSeconds, promptTokens: Number(prompt), outputTokens: Math.max(1, Number(output)) }
  })
  const begin = requests[0]?.atSeconds ?? Number.NaN
  if (!requests.every(({ atSeconds, promptTokens }) => atSeconds >= begin && promptTokens > 0))
    throw new Error(`${trace} is not a trace of TIMESTAMP, ContextTokens, GeneratedTokens in order of time`)
  return requests.filter(({ atSeconds }) => atSeconds < begin + minutes * 60)
}

/** Copies are turned against each other round the trace, so that its length and mix stay and its bursts do not add. */
function arrivals(trace: readonly TracedRequest[], { copies, speed }: Settings): Iterator<Request> {
  const begin = trace[0]?.atSeconds ?? 0
  const seconds = (trace.at(-1)?.atSeconds ?? 0) - begin + 1
  const streams = Array.from({ length: copies }, (_, copy) => {
    const shift = (seconds * copy) / (4 * copies)
    const turned = trace
      .map((request) => ({ ...request, atSeconds: begin + ((request.atSeconds - begin + shift) % seconds) }))
      .toSorted((x, y) => x.atSeconds - y.atSeconds)
    return traceArrivals([{ atSeconds: begin, promptTokens: 1, outputTokens: 1 }, ...turned], {
      fromSeconds: warmupSeconds / speed,
      speed,
      classIndex: 0,
    })
  })
  return mergeArrivals(streams)
}

interface Minute {
  readonly minute: number
  readonly arrived: number
  readonly counts: Readonly<Record<string, { readonly desired: number; readonly ready: number }>>
  readonly dollars: number
}

/** Obeys the scaler until the trace has ended; one row for each minute of the trace. */
async function drive(
  live: LiveFleet,
  scaler: RealScaler,
  policies: PolicySet,
  { speed }: Settings,
): Promise<readonly Minute[]> {
  const driver = kedaDriver({
    client: kedaClient(scaler.grpcAddress),
    scaledObjects: scaledObjects(policies).map((object) => ({
      ...object,
      pollingIntervalSeconds: object.pollingIntervalSeconds / speed,
      cooldownSeconds: object.cooldownSeconds / speed,
    })),
    scale: {
      get: (target) => {
        const { desired, ready, starting } = live.fleet.counts(target)
        return { spec: desired, status: ready + starting }
      },
      set: (target, replicas) => live.fleet.scale(target, replicas),
    },
    syncPeriodSeconds: 15 / speed,
    toleranceRule: 'perDirection',
    report: (event) => {
      if (event.kind === 'failed') console.log(`  ${event.by} on ${event.target}: ${event.why}`)
    },
  })
  const minutes: Minute[] = []
  let arrivedBefore = 0
  console.log('minute  req/s  h100-tp4 (ready/asked)  h200-tp2 (ready/asked)  $/h')
  while (!live.trafficEnded() || live.fleet.inSystem > 0) {
    const now = live.advance()
    await driver.step(now)
    const minute = Math.floor((now * speed) / 60)
    if (minute > (minutes.at(-1)?.minute ?? -1)) {
      const row = minuteOf(live.fleet, minute, arrivedBefore)
      arrivedBefore += row.arrived
      minutes.push(row)
      console.log(rowText(row))
    }
    await sleep(Math.max(50, 500 / speed))
  }
  driver.close()
  return minutes
}

function minuteOf(fleet: Fleet, minute: number, arrivedBefore: number): Minute {
  const counts = Object.fromEntries(fleet.settings.variants.map(({ name }) => [name, fleet.counts(name)]))
  const dollars = fleet.settings.variants.reduce(
    (sum, { name, costPerHour }) =>
      sum + costPerHour * fleet.pods().filter((pod) => pod.variant.name === name).length,
    0,
  )
  return { minute, arrived: fleet.gatewayArrived - arrivedBefore, counts, dollars }
}

function rowText({ minute, arrived, counts, dollars }: Minute): string {
  const cells = Object.values(counts).map(({ ready, desired }) => `${ready}/${desired}`.padStart(22))
  return `${String(minute).padStart(6)}  ${(arrived / 60).toFixed(1).padStart(5)}${cells.join('  ')}  ${dollars.toFixed(2)}`
}

function report(live: LiveFleet, minutes: readonly Minute[], { speed }: Settings): void {
  const [score] = live.score.classes
  const hours = (live.fleet.nowSeconds * speed) / 3600
  const spent = Object.values(live.fleet.cost()).reduce((sum, dollars) => sum + dollars * speed, 0)
  if (score === undefined) return
  console.log(`
requests         ${score.finished}
within SLO       ${percent(score.attainment)} (TTFT within 1 s and mean gap within 100 ms)
TTFT p50/p95/p99 ${quantiles(score.ttft, speed)}
gap  p50/p95/p99 ${quantiles(score.tpot, speed)}
cost             $${spent.toFixed(2)} over ${hours.toFixed(2)} h, $${(spent / hours).toFixed(2)}/h
replicas         ${range(minutes, 'h100-tp4')} h100-tp4, ${range(minutes, 'h200-tp2')} h200-tp2`)
}

/** The same traffic on a fleet that stands at the highest counts of the run, in virtual time. */
function reportStatic(
  policies: PolicySet,
  minutes: readonly Minute[],
  trace: readonly TracedRequest[],
  options: Settings,
): void {
  const peak = Object.fromEntries(
    Object.keys(minutes[0]?.counts ?? {}).map((name) => [
      name,
      Math.max(...minutes.map(({ counts }) => counts[name]?.ready ?? 0)),
    ]),
  )
  const settings = fleetOf(policies, peak)
  const score = new Score(settings.classes)
  const fleet = new Fleet(settings, score)
  const world = new World(fleet, arrivals(trace, options))
  for (let at = 0; !world.trafficEnded || fleet.inSystem > 0; at++) world.advance(at)
  const perHour = settings.variants.reduce(
    (sum, { name, costPerHour }) => sum + costPerHour * (peak[name] ?? 0),
    0,
  )
  const text = Object.entries(peak).map(([name, count]) => `${count} ${name}`)
  console.log(
    `static at peak   ${text.join(', ')}: $${perHour.toFixed(2)}/h, ${percent(score.classes[0]?.attainment)} within SLO`,
  )
}

/** In milliseconds of the trace's own time. */
function quantiles(latencies: Latencies, speed: number): string {
  return [0.5, 0.95, 0.99]
    .map((q) => `${Math.round((latencies.quantile(q) ?? Number.NaN) * speed * 1000)} ms`)
    .join(' / ')
}

function range(minutes: readonly Minute[], name: string): string {
  const ready = minutes.map(({ counts }) => counts[name]?.ready ?? 0)
  return `${Math.min(...ready)} to ${Math.max(...ready)}`
}

function percent(share: number | undefined): string {
  return share === undefined ? 'nothing finished' : `${(100 * share).toFixed(2)} %`
}
