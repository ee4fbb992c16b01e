// Do several scalers behind one Service answer alike, whoever is killed? Real `serve` processes, one real Prometheus, simulated
// fleets that KEDA and the HPA move by what the servers say; servers are killed at random (SIGKILL) and started again.
// Counts the values that differ between servers for the same tick, and how long KEDA's streams were without a server.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { ScalingPolicy } from '../src/core/policy.ts'
import { resolveFrom } from '../src/core/profiles/library.ts'
import { measuredProfiles } from '../src/core/profiles/measured.ts'
import { startExpositionServer } from '../src/demo/expositionServer.ts'
import { type KedaDriver, kedaDriver } from '../src/demo/kedaDriver.ts'
import { kedaClient } from '../src/demo/kedaProtocol.ts'
import { fleetSettings, scaledObjects } from '../src/demo/scenario.ts'
import { loadPolicies } from '../src/policy/load.ts'
import { diurnalRate, renewalArrivals } from '../src/simulation/arrivals.ts'
import { Fleet } from '../src/simulation/fleet.ts'
import { lognormalLengths } from '../src/simulation/lengths.ts'
import { Random } from '../src/simulation/random.ts'
import { Score } from '../src/simulation/score.ts'
import { World } from '../src/simulation/world.ts'
import { scrapeListed, startPrometheus } from '../test/stage/prometheus.ts'
import { Answers, httpPorts, keepStream, type ScalerSet, startScalers } from '../test/stage/servers.ts'

const help = `Usage: npx node bench/servers.ts [--servers 3] [--policies 10] [--refs 1000] [--streams 60] [--minutes 30] [--speed 5] [--seed 1]

  --minutes N   of the simulated world; it takes N / speed minutes
  --refs N      ScaledObjects that every server is asked for at every look
  --delay N     --evaluation-delay in seconds; 2, as in serve
  --calm        kill nobody
`
const { values } = parseArgs({
  options: {
    servers: { type: 'string', default: '3' },
    policies: { type: 'string', default: '10' },
    refs: { type: 'string', default: '1000' },
    streams: { type: 'string', default: '60' },
    minutes: { type: 'string', default: '30' },
    speed: { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    delay: { type: 'string', default: '2' },
    calm: { type: 'boolean' },
    help: { type: 'boolean' },
  },
})
const speed = Number(values.speed)
const seed = Number(values.seed)

if (values.help === true) process.stdout.write(help)
else await run()

async function run(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'mixscaler-servers-'))
  const names = Array.from({ length: Number(values.policies) }, (_, i) => `model-${i}`)
  for (const name of names) await writeFile(join(directory, `${name}.yaml`), policyText(name))
  const policies = names.map(policyOf)
  const worlds = policies.map(worldOf)
  const epochSeconds = Date.now() / 1000
  const now = (): number => Date.now() / 1000 - epochSeconds
  const advance = (): void => {
    for (const world of worlds) world.advance(Math.max(now(), world.fleet.nowSeconds))
  }
  const fleets = worlds.map(({ fleet }) => fleet)
  const exposition = await startExpositionServer({
    fleets,
    flavour: 'v1',
    gateway: 'inferenceGateway',
    epochSeconds,
    advance,
    port: 0,
  })
  const http = await httpPorts(Number(values.servers))
  const prometheus = await startPrometheus(scrapeListed(exposition.targetsUrl, 1, http))
  const scalers = await startScalers(http, Math.max(1, Math.round(15 / speed)), [
    ...['--policy', directory, '--prometheus', prometheus.url, '--kubernetes', 'off'],
    ...['--window', shorter(60), '--max-sample-age', shorter(45)],
    ...['--evaluation-delay', `${values.delay}s`],
  ])
  const client = kedaClient(scalers.address)
  const drivers = policies.map((policy, i) => driverOf(policy, fleets[i] as Fleet, scalers.address))
  try {
    await drive(scalers, policies, drivers, client, advance, now)
  } finally {
    for (const driver of drivers) driver.close()
    client.close()
    await scalers.stop()
    await prometheus.close()
    await exposition.close()
    await rm(directory, { recursive: true, force: true })
  }
}

async function drive(
  scalers: ScalerSet,
  policies: readonly ScalingPolicy[],
  drivers: readonly KedaDriver[],
  client: ReturnType<typeof kedaClient>,
  advance: () => void,
  now: () => number,
): Promise<void> {
  const refs = refsOf(policies)
  const random = new Random(seed, 1)
  const answers = new Answers()
  const interruptions: number[] = []
  await client.getMetricSpec(refs[0] as (typeof refs)[number])
  await sleep(1000)
  const stops = refs
    .slice(0, Number(values.streams))
    .map((ref) => keepStream(client, ref, (seconds) => interruptions.push(seconds)))
  const until = now() + (Number(values.minutes) * 60) / speed
  let kills = 0
  let nextKill = now() + 20
  let looks = 0
  let silent = 0
  /** Heard since they were started: with all of them down there would be nobody to ask. */
  const up = new Set<number>()
  const restarting: Promise<void>[] = []
  while (now() < until) {
    advance()
    await Promise.all(drivers.map((driver) => driver.step(now())))
    if (values.calm !== true && now() > nextKill) {
      const index = Math.floor(random.uniform() * scalers.count)
      if (up.has(index) && up.size > 1) {
        up.delete(index)
        scalers.kill(index)
        kills += 1
        restarting.push(scalers.start(index))
      }
      nextKill = now() + 10 + 25 * random.uniform()
    }
    await Promise.all(
      Array.from({ length: scalers.count }, async (_, index) => {
        const answered = await scalers.ask(index, refs)
        answers.add(index, answered)
        if (answered.length > 0) up.add(index)
        else silent += 1
      }),
    )
    looks += scalers.count
    await sleep(200)
  }
  await Promise.all(restarting)
  await sleep(3000)
  for (const stop of stops) stop()
  const incomplete = Array.from({ length: scalers.count }, (_, index) =>
    scalers.log(index).filter(({ msg }) => String(msg).startsWith('not read back')),
  ).flat()
  for (const { msg } of incomplete) console.log(`a server started without all of its past: ${msg}`)
  const { ticks, values: compared, disagreements } = answers.compared
  const late = interruptions.filter((seconds) => seconds > 2.5)
  const sorted = interruptions.toSorted((x, y) => x - y)
  console.log(
    `${scalers.count} servers, ${policies.length} policies, ${refs.length} ScaledObjects, ${values.minutes} min at ${speed} times the pace`,
  )
  console.log(
    `${kills} servers killed and started again; ${silent} of ${looks} looks met one without an answer: down or starting`,
  )
  const followed = Array.from({ length: scalers.count }, (_, index) => answers.followedBy(index).size)
  console.log(
    `${followed.reduce((sum, count) => sum + count, 0)} ticks for which a server told what another one had decided`,
  )
  console.log(
    `${ticks} ticks heard from more than one server, ${answers.different} different targets, ${compared} values compared`,
  )
  const [blind, unread] = [answers.differentViews, answers.withoutPast]
  const unexcused = disagreements.filter(({ at }) => !blind.has(at) && !unread.has(at))
  console.log(
    `${disagreements.length} disagreements (bar: 0), ${unexcused.length} of them not said by the servers' own metrics: ${blind.size} ticks seen differently by mixscaler_tick_digest, ${unread.size} where a server said mixscaler_past_read 0`,
  )
  for (const { text } of [...unexcused, ...disagreements].slice(0, 10)) console.log(`  ${text}`)
  console.log(
    `${interruptions.length} streams lost, open again after ${(sorted.at(Math.floor(sorted.length / 2)) ?? 0).toFixed(2)} s at the median, ${(sorted.at(-1) ?? 0).toFixed(2)} s at most; ${late.length} later than KEDA's first pause of 2 s and half a second (bar: 0)`,
  )
  if (disagreements.length > 0 || ticks === 0) process.exitCode = 1
}

function refsOf(policies: readonly ScalingPolicy[]) {
  const variants = policies.flatMap((policy) => policy.variants.map((variant) => ({ policy, variant })))
  return Array.from({ length: Number(values.refs) }, (_, i) => {
    const { policy, variant } = variants[i % variants.length] as (typeof variants)[number]
    return {
      name: `so-${i}`,
      namespace: policy.namespace,
      scalerMetadata: { policy: policy.name, variant: variant.name, scalerAddress: 'ignored:9090' },
    }
  })
}

function policyOf(name: string): ScalingPolicy {
  const loaded = loadPolicies(
    [{ file: 'policy.yaml', text: policyText(name) }],
    resolveFrom(measuredProfiles),
  )
  const policy = loaded.kind === 'loaded' ? loaded.policies.policies[0] : undefined
  if (policy === undefined) throw new Error(JSON.stringify(loaded))
  return policy
}

/** A wave of its own for each, so that targets move all the time. */
function worldOf(policy: ScalingPolicy, index: number): World {
  const settings = fleetSettings(policy, { h100: 2, a100: 1 }, seed + index)
  const period = 120 + 17 * index
  const arrivals = renewalArrivals({
    rate: diurnalRate({ mean: 25 + 2 * index, swing: 0.7, periodSeconds: period }),
    lengths: lognormalLengths(1155, 211, 0.85),
    ...{ seed: seed + index, cv: 1.5, classIndex: 0, fromSeconds: 0, untilSeconds: 1e6 },
  })
  return new World(new Fleet(settings, new Score(settings.classes)), arrivals)
}

function driverOf(policy: ScalingPolicy, fleet: Fleet, address: string): KedaDriver {
  return kedaDriver({
    client: kedaClient(address),
    scaledObjects: scaledObjects({ policies: [policy], pools: [], alsoAllowed: {} }),
    scale: {
      get: (target) => {
        const { desired, ready, starting } = fleet.counts(target)
        return { spec: desired, status: ready + starting }
      },
      set: (target, replicas) => fleet.scale(target, replicas),
    },
    syncPeriodSeconds: 15 / speed,
    toleranceRule: 'perDirection',
    report: () => undefined,
  })
}

/** No variant may go to none: replicas are counted by metrics here, which cannot tell none from unseen. */
function policyText(name: string): string {
  return `apiVersion: mixscaler.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: ${name}, namespace: team-${name} }
spec:
  model: meta-llama/Llama-3.1-8B-Instruct
  servedNames: [llama-3.1-8b]
  classes:
    - name: chat
      slo: { ttft: { p95: 1s }, itl: { p95: 50ms } }
  variants:
    - name: h100
      scaleTarget: { kind: Deployment, name: ${name}-h100 }
      accelerator: { type: h100, count: 1 }
      cost: $3.90/h
      replicas: { min: 1, max: 8 }
      startup: ${shorter(60)}
    - name: a100
      scaleTarget: { kind: Deployment, name: ${name}-a100 }
      accelerator: { type: a100-80gb, count: 1 }
      cost: $3.80/h
      replicas: { min: 1, max: 6 }
      startup: ${shorter(60)}
  behavior: { hpaTolerance: 0%, stalenessBudget: ${shorter(60)}, scaleDown: { hold: ${shorter(120)} } }
`
}

/** Every duration of the world is divided by the speed. */
function shorter(seconds: number): string {
  return `${Math.max(1, Math.round(seconds / speed))}s`
}
