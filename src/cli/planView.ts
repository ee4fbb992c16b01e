// What the live page and /plan show: the last decision, whoever took it.
import type { Decision } from '../core/decision.ts'
import type { TellableDecision } from '../loop/publication.ts'
import { planDocument } from '../report/planDocument.ts'
import type { PlanView } from '../telemetry/http.ts'

/** What KEDA was told last, once there is something: a decision of one's own, or the targets of another server's. */
export type Latest =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'decided'; readonly decision: Decision }
  | { readonly kind: 'followed'; readonly decision: TellableDecision }

export function planView(latest: Latest): PlanView {
  switch (latest.kind) {
    case 'nothing':
      return { kind: 'none', why: 'nothing has been decided yet' }
    case 'decided':
      return { kind: 'plan', document: planDocument(latest.decision) }
    case 'followed': {
      const { at, policies } = latest.decision
      const targets = policies.flatMap(({ variants }) => variants.map(({ id, target }) => [id, target]))
      return {
        kind: 'none',
        why: 'the past is still read: KEDA is told what another server decided',
        followed: { at, time: new Date(at * 1000).toISOString(), targets: Object.fromEntries(targets) },
      }
    }
  }
}
