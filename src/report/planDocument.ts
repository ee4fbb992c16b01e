// A decision as a document for programs: what /api/v1/plan and `plan --output json|yaml` print. Every reason
// carries its sentence. Keys stand in the order of the nouns, so equal decisions give equal bytes.
import { stringify } from 'yaml'
import type { Decision } from '../core/decision.ts'
import { type Reason, sentence } from '../core/reason.ts'

export function planDocument({ at, costPerHour, policies, warnings }: Decision): object {
  return {
    format: 'mixscaler-plan/1',
    at,
    time: new Date(at * 1000).toISOString(),
    costPerHour,
    policies: policies.map((policy) => ({
      ...policy,
      reasons: policy.reasons.map(explained),
      variants: policy.variants.map((variant) => ({ ...variant, reasons: variant.reasons.map(explained) })),
    })),
    warnings,
  }
}

export function planJson(decision: Decision): string {
  return `${JSON.stringify(planDocument(decision), null, 2)}\n`
}

export function planYaml(decision: Decision): string {
  return stringify(planDocument(decision), { aliasDuplicateObjects: false, lineWidth: 0 })
}

function explained(reason: Reason): object {
  return { ...reason, text: sentence(reason) }
}
