// Dynamo's load-based loop, every 5 s: one engine more when the estimated latency of all of them is above the SLA, one
// fewer when the survivors, given its work, would stay within 80 % of it; nothing while engines come or go
// (ai-dynamo/dynamo, planner/core/load_scaling.py, `load_scaling_down_sensitivity` 80). Its regression of iteration
// times on live ones is replaced by the law itself. Metrics are sums, so all engines of a variant look alike.
import { decodeStep, prefillSurcharge, promptWork } from '../../core/capacity/iteration.ts'
import type { Variant } from '../../core/policy.ts'
import { limitsOf } from '../../core/sizing.ts'
import type { Fleet, MeanLengths } from './fleet.ts'
import type { MeanGoal } from './profiledCapacity.ts'

const sensitivity = 0.8

/** Wanted replicas; the current count where nothing is to change. */
export function reactive(variant: Variant, fleet: Fleet, lengths: MeanLengths, goal: MeanGoal): number {
  const { desired, ready, starting, terminating } = fleet.replicas
  if (ready === 0 || starting > 0 || terminating > 0 || desired !== ready) return desired
  const now = perEngine(fleet, lengths, ready)
  const late = latenciesOf(variant, now, lengths)
  const watchesTtft = variant.role !== 'decode'
  const watchesItl = variant.role !== 'prefill'
  if ((watchesTtft && late.ttft > goal.ttft) || (watchesItl && late.itl > goal.itl)) return ready + 1
  if (ready === 1) return ready
  const then = perEngine(fleet, lengths, ready - 1)
  const after = latenciesOf(variant, then, lengths)
  const own = latenciesOf(variant, { ...then, queuedTokens: 0 }, lengths).ttft
  const ttftHolds = after.ttft - own < (goal.ttft - own) * sensitivity
  const itlHolds =
    then.kvTokens + then.queuedTokens < fleet.kvTokensPerReplica && after.itl < goal.itl * sensitivity
  return (!watchesTtft || ttftHolds) && (!watchesItl || itlHolds) ? ready - 1 : ready
}

interface Load {
  readonly running: number
  readonly kvTokens: number
  /** Prompts that wait. */
  readonly queuedTokens: number
}

function perEngine(fleet: Fleet, { promptTokens }: MeanLengths, engines: number): Load {
  return {
    running: fleet.running / engines,
    kvTokens: fleet.kvTokensInUse / engines,
    queuedTokens: (fleet.waiting * promptTokens) / engines,
  }
}

/** Milliseconds: the next token, and the first token of a request that comes now and waits for what is queued. */
function latenciesOf(
  { profile, ...variant }: Variant,
  { running, kvTokens, queuedTokens }: Load,
  { promptTokens }: MeanLengths,
): { readonly ttft: number; readonly itl: number } {
  const { maxNumBatchedTokens } = limitsOf({ profile, ...variant }, undefined)
  const step = decodeStep(profile, running, kvTokens)
  const chunks = Math.ceil((queuedTokens + promptTokens) / maxNumBatchedTokens)
  const work = promptWork(
    profile,
    { tokens: promptTokens, cachedTokens: 0 },
    Math.max(maxNumBatchedTokens, promptTokens),
  )
  return {
    ttft:
      chunks * (step + prefillSurcharge(profile, running, 1)) +
      (work * (queuedTokens + promptTokens)) / promptTokens,
    itl: decodeStep(profile, running, kvTokens + queuedTokens),
  }
}
