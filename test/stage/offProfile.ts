// A fleet of one variant that is faster or slower than its profile says, under the whole loop, and what may go wrong in
// it meanwhile: restarts, cold pods, a pod that lies.
import { type Correction, corrected } from '../../src/core/calibrate/correction.ts'
import type { Behavior, PolicySet } from '../../src/core/policy.ts'
import { isMissing } from '../../src/core/reading.ts'
import type { Reason } from '../../src/core/reason.ts'
import { sentence } from '../../src/core/sentence.ts'
import type { Tools } from '../../src/core/tools.ts'
import { type RateCurve, renewalArrivals } from '../../src/simulation/arrivals.ts'
import type { FleetSettings } from '../../src/simulation/fleet.ts'
import { lognormalLengths } from '../../src/simulation/lengths.ts'
import type { Pod } from '../../src/simulation/pod.ts'
import { behavior } from '../behavior.ts'
import { l40s, policy, policySet, variant } from '../decide/world.ts'
import { closedLoop, type LoopSettings, type LoopTick } from './closedLoop.ts'

export interface OffProfile {
  /** What the engines really are, beside the profile that the policy knows. */
  readonly truth: Correction
  readonly rate: RateCurve
  /** Standard deviation over mean of the time between arrivals. */
  readonly cv: number
  readonly seconds: number
  readonly seed: number
  readonly learn: Behavior['learn']
  readonly trouble: Trouble
}

export interface Trouble {
  readonly name: string
  readonly says?: LoopSettings['says']
  readonly each?: (tick: LoopTick) => void
}

export interface Course {
  /** One entry per tick. `ratio`: measured time over the profile's, as sizing takes it; 1 until it is learnt. */
  readonly ticks: readonly CourseTick[]
}

export interface CourseTick {
  readonly atSeconds: number
  readonly ratio: number
  readonly target: number
  readonly ready: number
  /** Share of the requests so far that were not late beyond what the percentile allows. */
  readonly byPercentile: number
  readonly finished: number
  readonly reasons: readonly string[]
}

export const calm: Trouble = { name: 'nothing' }

/** A container crashes every few minutes. */
export const restarts: Trouble = {
  name: 'restarts',
  each: ({ atSeconds, fleet }) => {
    const ready = fleet.pods().filter(({ phase }) => phase === 'ready')
    const victim = ready[Math.floor(atSeconds / 15) % Math.max(1, ready.length)]
    if (atSeconds % 240 === 0 && victim !== undefined && ready.length > 1) fleet.crash(victim.name)
  },
}

/** For its first two minutes an engine takes twice as long, and containers crash besides. */
export const coldPods: Trouble = {
  ...restarts,
  name: 'cold pods',
  says: (pod, text, atSeconds) => (atSeconds - pod.readyAtSeconds < 120 ? scaled(text, 'sum', 2) : text),
}

/** The pod whose name comes first reports so many times the latency, or so many times the tokens, of what is true. */
export function liar(what: 'sum' | 'count', factor: number): Trouble {
  let first: string | undefined
  const says = (pod: Pod, text: string): string => {
    first ??= pod.name
    return pod.name === first ? scaled(text, what, factor) : text
  }
  return { name: `a pod that reports ${factor} times the ${what === 'sum' ? 'latency' : 'tokens'}`, says }
}

const latencySeries =
  /^(vllm:(?:inter_token_latency|time_to_first_token)_seconds_(sum|count)\{[^}]*\}) (\S+)$/gm

function scaled(text: string, what: 'sum' | 'count', factor: number): string {
  return text.replace(latencySeries, (line, series: string, kind: string, value: string) =>
    kind === what ? `${series} ${Number(value) * factor}` : line,
  )
}

export function playOffProfile(scenario: OffProfile, tools: Tools): Course {
  const policies = onePolicy(scenario)
  const { rate, cv, seed, seconds, trouble } = scenario
  const loop = closedLoop({
    policies,
    fleet: fleetOf(scenario),
    arrivals: renewalArrivals({
      rate,
      cv,
      seed,
      lengths: lognormalLengths(500, 130, 0.8),
      classIndex: 0,
      fromSeconds: 0,
      untilSeconds: seconds,
    }),
    tools,
    percentile: 0.95,
    ...(trouble.says === undefined ? {} : { says: trouble.says }),
  })
  const ticks: CourseTick[] = []
  loop.play(seconds, (tick) => {
    trouble.each?.(tick)
    const [decided] = tick.decision.policies.flatMap(({ variants }) => variants)
    if (decided === undefined) throw new Error('nothing was decided')
    const { speed, target, reasons } = decided
    ticks.push({
      atSeconds: tick.atSeconds,
      ratio: isMissing(speed) ? 1 : speed.ratio,
      target: isMissing(target) ? 0 : target,
      ready: tick.fleet.counts('l40s').ready,
      byPercentile: loop.service.byPercentile,
      finished: loop.service.finished,
      reasons: [...reasons, ...tick.decision.policies.flatMap((each): readonly Reason[] => each.reasons)].map(
        sentence,
      ),
    })
  })
  return { ticks }
}

function onePolicy({ learn }: OffProfile): PolicySet {
  const only = variant('l40s', { profile: l40s, replicas: { min: 1, max: 60 }, startupSeconds: 90 })
  return policySet([policy([only], { behavior: { ...behavior, forecastQuantile: 0.9, learn } })])
}

function fleetOf({ truth, seed, rate }: OffProfile): FleetSettings {
  return {
    namespace: 'chat',
    model: 'llama',
    variants: [
      {
        name: 'l40s',
        role: 'unified',
        profile: corrected(l40s, truth),
        maxNumSeqs: 256,
        maxNumBatchedTokens: 8192,
        kvTokens: 180_000,
        costPerHour: 1,
        startup: { medianSeconds: 90, sigma: 0.1 },
        routingWeight: 1,
        initialReplicas: Math.max(2, Math.ceil(rate(0) / 5)),
      },
    ],
    classes: [{ name: 'chat', ttftSeconds: 1, itlSeconds: 0.05 }],
    routing: 'joinShortestQueue',
    seed,
  }
}
