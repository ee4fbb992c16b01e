// How many requests per second one replica carries within its SLO: the largest rate at which every bound holds at
// its percentile, found by bisection. The margin is on the SLO, not on the rate, and no replica is sized above a
// share of saturation: beyond it percentiles cannot be predicted (modelling notes, section 2).
import { decodeReplica } from './decode.ts'
import { problemWith } from './inputs.ts'
import { usableKvShare, type Workload, workload } from './lengths.ts'
import { cdf, percentile, shareAbove } from './mixture.ts'
import { prefillReplica } from './prefill.ts'
import type { Capacity, CapacityQuestion, LimitedBy } from './question.ts'
import { type Dispersion, type Latencies, type Metric, metrics, type ReplicaModel } from './replica.ts'
import { unifiedReplica } from './unified.ts'

/** Load-aware routing over R replicas evens out arrivals; more than this many are credited as this many. */
const pooledReplicas = 16

/** Capacity of a replica alone and of one among `pooledReplicas`: between them it is a line in 1/R. */
export interface Pooling {
  readonly alone: Capacity
  readonly pooled: Capacity
}

/** Deterministic; finite for any finite input. Non-decreasing in `replicas`, non-increasing as the SLO tightens. */
export function capacityOf(question: CapacityQuestion): Capacity {
  return among(poolingOf(question), question.replicas)
}

/** The two searches behind every count of replicas. */
export function poolingOf(question: CapacityQuestion): Pooling {
  const problem = problemWith(question)
  if (problem !== undefined) return both({ kind: 'infeasible', limitedBy: 'throughput', why: problem })
  const work = workload(question.profile, question.limits, question.shape)
  if (work.N < 1) return both(tooLarge(work, question))
  const model = replicaModel(question, work)
  const alone = search(question, work, model, 1)
  return {
    alone,
    pooled: alone.kind === 'infeasible' ? alone : search(question, work, model, pooledReplicas),
  }
}

/**
 * Capacity is close to linear in what R replicas have left of the noise, 1/R: on the table of the modelling notes,
 * section 4, the line is within 1.5 % of the law at 2, 4 and 8 replicas.
 */
export function among({ alone, pooled }: Pooling, replicas: number): Capacity {
  if (alone.kind === 'infeasible' || pooled.kind === 'infeasible') return alone
  const count = Math.min(pooledReplicas, Math.max(1, replicas))
  const share = (1 - 1 / count) / (1 - 1 / pooledReplicas)
  const gain = Math.max(0, pooled.requestsPerSecond - alone.requestsPerSecond)
  return {
    kind: 'feasible',
    requestsPerSecond: alone.requestsPerSecond + share * gain,
    limitedBy: share < 0.5 ? alone.limitedBy : pooled.limitedBy,
  }
}

export function replicaModel(
  { role, profile, limits }: Pick<CapacityQuestion, 'role' | 'profile' | 'limits'>,
  work: Workload,
): ReplicaModel {
  switch (role) {
    case 'unified':
      return unifiedReplica(profile, work, limits.maxNumBatchedTokens)
    case 'prefill':
      return prefillReplica(profile, work, limits.maxNumBatchedTokens)
    case 'decode':
      return decodeReplica(profile, work)
  }
}

/** Arrivals at one of R replicas: bursts are shared out, and single steps see no more than Poisson arrivals. */
export function dispersionOf(dispersion: number, replicas: number): Dispersion {
  return { I: dispersion / replicas, Ic: Math.min(1, dispersion) / replicas, sharing: replicas }
}

/** Halvings of [0.1 %, 100 %] of the allowed rate: the answer is exact to 1/4096 of it. */
const halvings = 12
const lowestShare = 0.001

/** Of one of so many replicas, by the law itself. */
export function search(
  question: CapacityQuestion,
  work: Workload,
  model: ReplicaModel,
  replicas: number,
): Capacity {
  const top = model.lmax * question.maxLoad
  if (!(top > 0 && Number.isFinite(top * 1000))) {
    return { kind: 'infeasible', limitedBy: 'throughput', why: 'a request takes longer than can be computed' }
  }
  const atTop: Capacity = {
    kind: 'feasible',
    requestsPerSecond: top * 1000,
    limitedBy: saturatedBy(question, work),
  }
  if (question.goal.kind === 'throughput') return atTop
  const dispersion = dispersionOf(question.dispersion, replicas)
  const failureAt = (lambda: number): LimitedBy | undefined =>
    failure(question, work, model.at(lambda, dispersion))
  let limitedBy = failureAt(top)
  if (limitedBy === undefined) return atTop
  const idle = lowestShare * top
  let [low, high] = [idle, top]
  for (let i = 0; i < halvings; i++) {
    const middle = (low + high) / 2
    const failed = failureAt(middle)
    if (failed === undefined) low = middle
    else {
      high = middle
      limitedBy = failed
    }
  }
  // A look is a whole queueing model: that an idle replica keeps the SLO is only in doubt where no other rate does.
  const failsIdle = low === idle ? failureAt(idle) : undefined
  if (failsIdle !== undefined) {
    const why = explain(question, failsIdle, idle, model.at(idle, dispersion))
    return { kind: 'infeasible', limitedBy: failsIdle, why }
  }
  return { kind: 'feasible', requestsPerSecond: low * 1000, limitedBy }
}

/**
 * Of the requests or tokens that may be late, a tenth is kept in reserve: gaps between tokens jump by a whole prefill,
 * and where p95 lies at the foot of a jump, a margin on the SLO protects from nothing.
 */
const usableMisses = 0.9

/** Slots are full for as long as a request stays, a spell that the chain spreads out: its share counts this often. */
const slotWaitWeight = 4

/** The bound that fails, the worst of them where several do; undefined where all hold. */
function failure(
  { goal, sloMargin }: CapacityQuestion,
  work: Workload,
  latencies: Latencies | undefined,
): LimitedBy | undefined {
  if (goal.kind === 'throughput') return undefined
  if (latencies === undefined) return work.slots
  let worst: LimitedBy | undefined
  let worstExcess = 1
  for (const metric of metrics) {
    const bound = goal[metric]
    if (bound === undefined) continue
    const allowed = usableMisses * (1 - bound.percentile)
    const milliseconds = bound.seconds * sloMargin * 1000
    const late = 1 - cdf(latencies.mixture(metric), milliseconds)
    const lateForSlots = metric === 'ttft' ? shareAbove(latencies.waits(), milliseconds) : 0
    const excess = (late + (slotWaitWeight - 1) * lateForSlots) / allowed
    if (excess <= worstExcess) continue
    worstExcess = excess
    // Where those that wait for a slot are alone more than may be late, it is the slots that run out.
    worst = slotWaitWeight * lateForSlots > allowed ? work.slots : metric
  }
  return worst
}

/** What saturation is made of: slots, if twice as many would carry 5 % more; else the work itself. */
function saturatedBy(question: CapacityQuestion, work: Workload): LimitedBy {
  const doubled = replicaModel(question, { ...work, N: 2 * work.N })
  return doubled.lmax > 1.05 * replicaModel(question, work).lmax ? work.slots : 'throughput'
}

const metricNames: Readonly<Record<Metric, string>> = { ttft: 'TTFT', itl: 'ITL', tpot: 'TPOT' }

function explain(
  { goal, sloMargin }: CapacityQuestion,
  failed: LimitedBy,
  lambda: number,
  latencies: Latencies | undefined,
): string {
  const metric = metrics.find((name) => name === failed)
  const bound = goal.kind === 'interactive' && metric !== undefined ? goal[metric] : undefined
  if (metric === undefined || bound === undefined || latencies === undefined) {
    return `at ${number(lambda * 1000)} requests/s too many requests wait for a slot`
  }
  const p = `p${number(bound.percentile * 100)}`
  const planned = 1 - usableMisses * (1 - bound.percentile)
  const reached = percentile(latencies.mixture(metric), planned) / 1000
  return (
    `${metricNames[metric]} ${p} is planned at ${number(reached)} s on an almost idle replica; ` +
    `allowed are ${number(bound.seconds * sloMargin)} s (${number(bound.seconds)} s times the margin ${number(sloMargin)})`
  )
}

function tooLarge(work: Workload, { limits }: CapacityQuestion): Capacity {
  const why = `a running request holds ${number(work.m)} tokens on average; the KV cache has ${number(limits.kvTokens)}, of which ${number(usableKvShare * 100)} % are planned with`
  return { kind: 'infeasible', limitedBy: 'kvCache', why }
}

function both(capacity: Capacity): Pooling {
  return { alone: capacity, pooled: capacity }
}

function number(value: number): string {
  return String(Number(value.toPrecision(3)))
}
