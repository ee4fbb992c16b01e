// What no engine law sees: one API server process parses, tokenizes and streams for its replica, and above some load it is
// the limit (docs/MODEL.md: the measured outliers were nearly all 64-token requests above 100/s).
import { meanTokens } from './demand/shape.ts'
import type { MixPlan } from './optimize/mix.ts'
import type { TrafficClass, Variant } from './policy.ts'
import type { Reason } from './reason.ts'
import type { PolicyView } from './view.ts'

/** Per API server. */
const mostRequestsPerSecond = 100
const mostTokensPerSecond = 10_000

/** A reason where a replica's share of the plan is above what its API servers are known to pass on. */
export function frontEndReason(variant: Variant, view: PolicyView, plan: MixPlan): readonly Reason[] {
  const replicas = plan.replicas[variant.id] ?? 0
  if (replicas === 0) return []
  const servers = variant.engine.apiServers ?? 1
  let requests = 0
  let tokens = 0
  for (const trafficClass of view.demand.keys()) {
    const perServer = (plan.flow[trafficClass.id]?.[variant.id] ?? 0) / replicas / servers
    requests += perServer
    tokens += perServer * streamedTokens(variant, trafficClass, view)
  }
  const over = requests > mostRequestsPerSecond || tokens > mostTokensPerSecond
  return over
    ? [{ kind: 'frontEnd', requestsPerSecond: requests, tokensPerSecond: tokens, apiServers: servers }]
    : []
}

/** A prefill replica streams one token. */
function streamedTokens({ role }: Variant, trafficClass: TrafficClass, { shapes }: PolicyView): number {
  const shape = shapes.get(trafficClass)?.shape
  return role === 'prefill' || shape === undefined ? 1 : meanTokens(shape.outputTokens)
}
