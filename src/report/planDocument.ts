// A decision as a document for programs: what /api/v1/plan and `plan --output json|yaml` print. Every reason
// carries its sentence. Keys stand in the order of the nouns.
import type { Decision } from '../core/decision.ts'
import type { Reason } from '../core/reason.ts'
import { sentence } from '../core/sentence.ts'
import type { Compared } from './compared.ts'

export function planDocument({ at, costPerHour, policies, warnings }: Decision, whatIf?: Compared): object {
  return {
    format: 'mixscaler-plan/1',
    at,
    time: new Date(at * 1000).toISOString(),
    ...(whatIf === undefined ? {} : { whatIf }),
    costPerHour,
    policies: policies.map((policy) => ({
      ...policy,
      reasons: policy.reasons.map(explained),
      variants: policy.variants.map((variant) => ({ ...variant, reasons: variant.reasons.map(explained) })),
    })),
    warnings,
  }
}

function explained(reason: Reason): object {
  return { ...reason, text: sentence(reason) }
}
