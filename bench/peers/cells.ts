// The cells of the comparison: a trace, a fleet, a start-up time, a seed. Fleets are one 8B model on H100, alone or
// beside two cheaper cards (iteration laws and prices in docs/BENCHMARKS.md); traffic is scaled so that its busiest
// half percent of windows takes 30 H100.
import { type Known, knownCapacity } from '../../src/backtest/bound/known.ts'
import { busiestMinute, knownTraffic } from '../../src/backtest/bound/knownTraffic.ts'
import type { Peer } from '../../src/backtest/peers/peer.ts'
import { peersOf } from '../../src/backtest/peers/peers.ts'
import { type Site, siteOf } from '../../src/backtest/site.ts'
import { meanOf } from '../../src/backtest/traffic/lengthPoints.ts'
import type { Traffic } from '../../src/backtest/traffic/traffic.ts'
import { createCapacityMemo } from '../../src/core/capacity/memo.ts'
import type { PolicySet, ScalingPolicy } from '../../src/core/policy.ts'
import { resolveFrom } from '../../src/core/profiles/library.ts'
import { measuredProfiles } from '../../src/core/profiles/measured.ts'
import { loadPolicies } from '../../src/policy/load.ts'
import { problemText } from '../../src/policy/problem.ts'
import { sourceOf, type Trace, type TraceName, traceOf } from './traces.ts'

export interface Cell {
  readonly trace: TraceName
  readonly fleet: FleetName
  readonly startupSeconds: number
  readonly seed: number
  /** 0..1: share of requests within the SLO, which states the same percentile. */
  readonly goal: number
  /** Absent: requests where the trace has them, amounts of requests where it has rates. */
  readonly fidelity?: 'request'
}

export type FleetName = 'h100' | 'mix'

const [hour, day] = [3600, 86_400]

/** $/h, and the law's a, b, c; the others are a third and 1/1.6 as fast. */
const cards = {
  h100: { cost: 4, a: 6.58, b: 0.0193, c: 5.46e-5, kvTokens: 400_000, gpu: 'h100' },
  l40s: { cost: 1.5, a: 19.74, b: 0.0579, c: 1.911e-4, kvTokens: 180_000, gpu: 'l40s' },
  a100: { cost: 2.2, a: 10.53, b: 0.0405, c: 9.01e-5, kvTokens: 400_000, gpu: 'a100' },
} as const

const fleets: Readonly<Record<FleetName, readonly (keyof typeof cards)[]>> = {
  h100: ['h100'],
  mix: ['h100', 'l40s', 'a100'],
}

/** Of the busiest half percent of windows. */
const peakReplicas = 30

export interface Prepared {
  readonly cell: Cell
  readonly traffic: Traffic
  readonly policies: PolicySet
  readonly policy: ScalingPolicy
  readonly site: Site
  /** Of the scored span, in steps of a minute. */
  readonly known: Known
  readonly peers: readonly Peer[]
  readonly warmupSeconds: number
  readonly fidelity: 'fluid' | 'request'
}

export const startupSigma = 0.1

export interface Preparation {
  /** Where the traces lie. */
  readonly data: string
  /** Scored, at most. */
  readonly days: number
  /** Lines of the policy's behavior, as YAML's flow style has them; empty: the defaults. */
  readonly behavior: string
  /** Rules that remember minutes are spared days of history. */
  readonly history: 'all' | 'an hour'
}

export function prepare(cell: Cell, { data, days, behavior, history }: Preparation): Prepared {
  const trace = traceOf(cell.trace)
  const { fidelity = trace.fidelity } = cell
  const warmupSeconds = history === 'all' ? trace.warmupSeconds : Math.min(hour, trace.warmupSeconds)
  const scored = Math.min(trace.scoredSeconds, days * day)
  const fromSeconds = trace.fromSeconds + trace.warmupSeconds - warmupSeconds
  const bare = { classIndex: 0, shiftSeconds: -fromSeconds, source: sourceOf(data, trace) }
  const untilSeconds = warmupSeconds + scored
  const unscaled: Traffic = { untilSeconds, sources: [{ ...bare, scale: 1 }] }
  const span = { fromSeconds: warmupSeconds, untilSeconds, stepSeconds: 60 }
  const drawn = (traffic: Traffic, policies: PolicySet): Known => {
    const [policy] = policies.policies as [ScalingPolicy]
    const { classes } = siteOf(policies, { startupSigma, modelError: 0 })
    return knownTraffic(traffic, classes, policy, span, cell.seed)
  }
  const first = loaded(policyText(cell, trace, { promptTokens: 500, outputTokens: 130 }, behavior))
  const scale = scaleOf(drawn(unscaled, first), first)
  const traffic: Traffic = { untilSeconds, sources: [{ ...bare, scale }] }
  const policies = loaded(policyText(cell, trace, meanLengths(drawn(traffic, first)), behavior))
  const site = siteOf(policies, { startupSeconds: cell.startupSeconds, startupSigma, modelError: 0 })
  const [timed] = site.policies.policies as [ScalingPolicy]
  const known = drawn(traffic, site.policies)
  return {
    ...{ cell, traffic, policies, site, warmupSeconds, fidelity },
    policy: timed,
    known,
    peers: peersOf(site.policies, busiestMinute(known)),
  }
}

/** The 99.5th percentile of the load, in H100s at the SLO, becomes `peakReplicas`. */
function scaleOf(known: Known, { policies }: PolicySet): number {
  const [policy] = policies as [ScalingPolicy]
  const capacity = knownCapacity(policy, createCapacityMemo())
  const [only] = known.classes
  const h100 = policy.variants.find(({ name }) => name === 'h100')
  if (only === undefined || h100 === undefined) throw new Error('a cell has one class and an H100')
  const loads = Array.from(only.requestsPerSecond, (rate, t) => rate / capacity(only, h100, t))
  const sorted = loads.toSorted((x, y) => x - y)
  return peakReplicas / (sorted[Math.floor(0.995 * (sorted.length - 1))] ?? 1)
}

/** Over all requests: what the policy assumes where nothing is observed, and what a spreadsheet is filled with. */
function meanLengths({ classes }: Known): Lengths {
  let [requests, prompt, output] = [0, 0, 0]
  for (const { requestsPerSecond, shapes, shapeAt } of classes)
    requestsPerSecond.forEach((rate, t) => {
      const shape = shapes[shapeAt[t] ?? 0]
      if (shape === undefined) return
      requests += rate
      prompt += rate * meanOf(shape.promptTokens)
      output += rate * meanOf(shape.outputTokens)
    })
  return { promptTokens: Math.round(prompt / requests), outputTokens: Math.round(output / requests) }
}

interface Lengths {
  readonly promptTokens: number
  readonly outputTokens: number
}

/** Attainment is counted by request: TTFT, and the mean gap of each. Goals of 99 % are percentiles of 99. */
function policyText({ fleet, goal }: Cell, { ttft }: Trace, lengths: Lengths, behavior: string): string {
  const percentile = `p${Number((100 * goal).toPrecision(4))}`
  const variants = fleets[fleet].map((name) => {
    const { cost, a, b, c, kvTokens, gpu } = cards[name]
    return `
    - name: ${name}
      scaleTarget: { kind: Deployment, name: ${name} }
      accelerator: { type: ${gpu} }
      cost: $${cost}/h
      replicas: { min: ${name === 'h100' ? 1 : 0}, max: ${name === 'l40s' ? 150 : 60} }
      startup: 2m
      profile: ${JSON.stringify({ a, b, c, kvTokens })}`
  })
  return `apiVersion: mixscaler.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: llama-8b, namespace: bench }
spec:
  model: meta-llama/Llama-3.1-8B-Instruct
  classes:
    - name: chat
      slo: { ttft: { ${percentile}: ${ttft} }, tpot: { ${percentile}: 50ms } }
      assumedShape: { promptTokens: ${lengths.promptTokens}, outputTokens: ${lengths.outputTokens} }
  variants:${variants.join('')}
  behavior: { ${behavior.includes('hpaTolerance') ? '' : 'hpaTolerance: 0%, '}${behavior} }
`
}

function loaded(text: string): PolicySet {
  const answer = loadPolicies([{ file: 'policy.yaml', text }], resolveFrom(measuredProfiles))
  if (answer.kind === 'loaded') return answer.policies
  throw new Error(answer.problems.map(problemText).join('\n'))
}
