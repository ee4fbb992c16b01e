// `mixscaler demo`: a simulated fleet under a day of traffic, scaled by the production path: its metrics are read,
// `decide` decides, a real gRPC server answers, KEDA and the HPA are imitated in front of it.
import { setTimeout as wait } from 'node:timers/promises'
import { decide as decideWith } from '../core/decide.ts'
import type { Decision } from '../core/decision.ts'
import type { Observation } from '../core/observation.ts'
import { defaultObserveOptions, lookBackOf, queryPlan } from '../core/observe/queries.ts'
import type { PolicySet, ScalingPolicy } from '../core/policy.ts'
import { resolveFrom } from '../core/profiles/library.ts'
import { measuredProfiles } from '../core/profiles/measured.ts'
import { emptyState } from '../core/state.ts'
import { createTools } from '../core/tools.ts'
import { type DriverEvent, kedaDriver } from '../demo/kedaDriver.ts'
import { kedaClient } from '../demo/kedaProtocol.ts'
import { costOf, type Frame, play, type Stage } from '../demo/play.ts'
import {
  arrivals,
  dayOfTraffic,
  epochSeconds,
  fleetSettings,
  peakOf,
  policyText,
  scaledObjects,
  title,
} from '../demo/scenario.ts'
import { Scraper } from '../demo/scraper.ts'
import { runStatic, sizedFor } from '../demo/staticFleet.ts'
import type { Summary } from '../demo/summary.ts'
import { legend, logLine, type Past, picture, type Scenery, summaryText } from '../demo/view.ts'
import { Watch } from '../demo/watch.ts'
import { type GrpcServer, startGrpcServer } from '../grpc/server.ts'
import type { Decide } from '../loop/decider.ts'
import { publishedDecision } from '../loop/publication.ts'
import { controlLoop } from '../loop/tick.ts'
import { loadPolicies } from '../policy/load.ts'
import { problemText } from '../policy/problem.ts'
import { Fleet } from '../simulation/fleet.ts'
import { observeStore } from '../simulation/seriesObserver.ts'
import { SeriesStore } from '../simulation/seriesStore.ts'
import { World } from '../simulation/world.ts'
import { loadEngines } from '../solvers/engines.ts'
import { defineCommand, type Terminal } from './command.ts'
import { exitCodes, usageError } from './exit.ts'
import { choiceFlag } from './values.ts'

interface Options {
  readonly seconds: number
  readonly speed: number
  readonly seed: number
}

export const demo = defineCommand({
  name: 'demo',
  summary: 'watch a simulated fleet being scaled for a minute; needs no cluster and no Prometheus',
  usage: '[--seconds 60] [--speed 60] [--seed 1] [--output table|json]',
  description:
    'Simulates vLLM replicas iteration by iteration under a day of traffic with a spike, and scales them as in\n' +
    'production: their metrics are read and decided on, a real gRPC server answers, KEDA and the HPA are imitated\n' +
    'in front of it. On a terminal it draws a picture, elsewhere it prints a line now and then. It ends by itself\n' +
    'with a summary against a static fleet sized for the peak; Ctrl-C ends it earlier, with the summary so far.',
  flags: {
    seconds: { type: 'string', default: '60', placeholder: 'N', text: 'how long it takes, in real seconds' },
    speed: { type: 'string', default: '60', placeholder: 'N', text: 'virtual seconds per real second' },
    seed: {
      type: 'string',
      default: '1',
      placeholder: 'N',
      text: 'of all randomness: equal seeds, equal runs',
    },
    output: {
      type: 'string',
      short: 'o',
      default: 'table',
      placeholder: 'table|json',
      text: 'of the summary',
    },
  },
  examples: [
    { text: 'A minute at the terminal', command: 'mixscaler demo' },
    {
      text: 'The same day in six seconds, for a script',
      command: 'mixscaler demo --seconds 6 --speed 600 -o json',
    },
  ],
  run: async (values, terminal) => {
    const output = choiceFlag('output', values.output, ['table', 'json'])
    const options: Options = {
      seconds: numberFlag('seconds', values.seconds, 1, 3600),
      speed: numberFlag('speed', values.speed, 1, 10_000),
      seed: Math.trunc(numberFlag('seed', values.seed, 0, 2 ** 32 - 1)),
    }
    const show = await prepare(options, terminal.signal)
    const say = output === 'json' ? terminal.error : terminal.out
    try {
      await perform(show, output === 'json' ? undefined : terminal.columns, say, terminal.signal)
    } finally {
      await show.close()
    }
    const summary = show.summary()
    if (output === 'json') terminal.out(`${JSON.stringify(summary, null, 2)}\n`)
    else terminal.out(summaryText(summary))
    return exitCodes.good
  },
})

interface Show {
  readonly stage: Stage
  readonly scenery: Scenery
  readonly events: readonly { readonly atSeconds: number; readonly event: DriverEvent }[]
  readonly summary: () => Summary
  readonly close: () => Promise<void>
}

async function prepare({ seconds, speed, seed }: Options, signal: AbortSignal): Promise<Show> {
  const policies = demoPolicies()
  const policy = onlyPolicy(policies)
  const untilSeconds = seconds * speed
  const tools = createTools(await loadEngines())
  const decide: Decide = (set, state, observation) => decideWith(set, state, observation, tools)

  const rate = dayOfTraffic(untilSeconds)
  const settings = fleetSettings(policy, { 'h100-tp4': 1, 'h200-tp2': 1 }, seed)
  const watch = new Watch(settings.classes[0])
  const fleet = new Fleet(settings, watch)
  const world = new World(fleet, arrivals(rate, untilSeconds, seed))
  const scaler = await startScaler(policies, fleet, decide, signal)
  const events: { atSeconds: number; event: DriverEvent }[] = []
  const driver = kedaDriver({
    client: kedaClient(`127.0.0.1:${scaler.grpc.port}`),
    scaledObjects: scaledObjects(policies),
    scale: {
      get: (target) => {
        const { desired, ready, starting } = fleet.counts(target)
        return { spec: desired, status: ready + starting }
      },
      set: (target, replicas) => fleet.scale(target, replicas),
    },
    syncPeriodSeconds: 15,
    toleranceRule: 'perDirection',
    report: (event) => void events.push({ atSeconds: fleet.nowSeconds, event }),
  })
  return {
    stage: { world, watch, driver, scrape: scaler.scrape, tick: scaler.tick },
    scenery: { title, bounds: settings.classes[0], untilSeconds, speed },
    events,
    summary: () => {
      const peak = peakOf(rate, fleet.nowSeconds)
      const replicas = sizedFor(peak, policies, scaler.observe(), decide)
      return {
        seed,
        simulatedSeconds: fleet.nowSeconds,
        requests: fleet.gatewayArrived,
        peakRequestsPerSecond: peak,
        service: watch.service,
        cost: costOf(world),
        decisions: scaler.decisions(),
        scaleEvents: events.filter(({ event }) => event.kind === 'scaled').length,
        failedCalls: events.filter(({ event }) => event.kind === 'failed').length,
        peakFleet: runStatic(policy, replicas, arrivals(rate, untilSeconds, seed), fleet.nowSeconds, seed),
      }
    },
    close: async () => {
      driver.close()
      await scaler.grpc.stop(1000)
    },
  }
}

interface Scaler {
  readonly grpc: GrpcServer
  readonly scrape: () => void
  readonly tick: (atSeconds: number) => Promise<Decision | undefined>
  readonly observe: () => Observation
  readonly decisions: () => number
}

/** The production loop and gRPC server on the virtual clock, with the store in memory for its Prometheus. */
async function startScaler(
  policies: PolicySet,
  fleet: Fleet,
  decide: Decide,
  signal: AbortSignal,
): Promise<Scaler> {
  const now = (): number => epochSeconds + fleet.nowSeconds
  const plan = queryPlan(policies, defaultObserveOptions)
  const store = new SeriesStore(lookBackOf(defaultObserveOptions))
  const scraper = new Scraper(fleet, store, epochSeconds)
  const observe = (): Observation =>
    observeStore(store, policies, plan, now(), { replicas: scraper.replicas(policies), pools: {} })
  const publication = publishedDecision(now, 'target')
  publication.setPolicies(policies)
  let decisions = 0
  const loop = controlLoop(
    {
      // Nothing here waits: a deadline in virtual time never comes.
      clock: {
        now,
        sleep: (_seconds, ended) => new Promise((done) => ended.addEventListener('abort', () => done())),
      },
      policies: async () => policies,
      observe: async () => observe(),
      decide: async (set, state, observation) => decide(set, state, observation),
      // The simulated fleet begins with the show: there is no past to read back.
      catchUp: async ({ known }) => known?.state ?? emptyState,
      publish: ({ decision }) => publication.publish(decision),
      report: ({ outcome }) => {
        if (outcome.kind === 'published') decisions++
      },
    },
    { intervalSeconds: 15, evaluationDelaySeconds: 0, observeDeadlineSeconds: 10, retrySeconds: 3 },
  )
  return {
    grpc: await startGrpcServer({ publication, address: '127.0.0.1', port: 0, reflection: 'off' }),
    scrape: () => scraper.scrape(),
    tick: async (atSeconds) => {
      const { outcome } = await loop.tick(epochSeconds + atSeconds, signal)
      return outcome.kind === 'published' ? outcome.decision : undefined
    },
    observe,
    decisions: () => decisions,
  }
}

/** Plays the show in step with the real clock, or as fast as the machine can where it cannot keep up. */
async function perform(
  { stage, scenery, events }: Show,
  columns: number | undefined,
  say: Terminal['out'],
  signal: AbortSignal,
): Promise<void> {
  const began = performance.now()
  const load: number[] = []
  const cost: number[] = []
  const draw = columns === undefined ? lines(say, scenery) : screen(say, scenery, columns)
  for await (const frame of play(stage, scenery.untilSeconds)) {
    if (frame.recent.ttftP95 !== undefined) load.push(frame.recent.requestsPerSecond)
    cost.push(frame.costPerHour)
    draw(frame, { load, cost, events })
    const early = began + (1000 * frame.atSeconds) / scenery.speed - performance.now()
    if (early > 0) await wait(early, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
  }
}

type Draw = (frame: Frame, past: Past) => void

function screen(say: Terminal['out'], scenery: Scenery, columns: number): Draw {
  let drawn = 0
  return (frame, past) => {
    const picked = picture(frame, past, scenery, columns)
    const up = drawn > 0 ? `\x1b[${drawn}A` : ''
    say(`${up}${picked.map((line) => `\x1b[2K${line}\n`).join('')}`)
    drawn = picked.length
  }
}

/** A line every two real seconds. */
function lines(say: Terminal['out'], scenery: Scenery): Draw {
  say(`${legend(scenery)}\n`)
  let next = 0
  return (frame) => {
    if (frame.atSeconds < next || frame.recent.ttftP95 === undefined) return
    next = frame.atSeconds + 2 * scenery.speed
    say(`${logLine(frame)}\n`)
  }
}

function demoPolicies(): PolicySet {
  const loaded = loadPolicies([{ file: 'demo.yaml', text: policyText }], resolveFrom(measuredProfiles))
  if (loaded.kind === 'loaded') return loaded.policies
  throw new Error(`the demo's own policy is not valid:\n${loaded.problems.map(problemText).join('\n')}`)
}

function onlyPolicy({ policies }: PolicySet): ScalingPolicy {
  const [policy] = policies
  if (policy === undefined) throw new Error("the demo's policy is missing")
  return policy
}

function numberFlag(flag: string, text: string, lowest: number, highest: number): number {
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && value >= lowest && value <= highest) return value
  throw usageError(`--${flag} must be a number from ${lowest} to ${highest}: got "${text}"`)
}
