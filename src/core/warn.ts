// Which reasons are warnings: what somebody should look into, though the plan goes on. Their words hold no figures, so that
// they are news when they begin and not at every tick; the reasons beside them have the figures.
import type { PolicyDecision } from './decision.ts'
import type { Reason } from './reason.ts'
import { sentence } from './sentence.ts'

export function decisionWarnings(policies: readonly PolicyDecision[]): readonly string[] {
  return policies.flatMap(({ id, reasons, variants }) => [
    ...reasons.flatMap((reason) => said(`policy ${id}`, reason)),
    ...variants.flatMap((variant) =>
      variant.reasons.flatMap((reason) => said(`variant ${variant.id}`, reason)),
    ),
  ])
}

function said(subject: string, reason: Reason): readonly string[] {
  switch (reason.kind) {
    case 'gatewayUnseen':
      return [`${subject}: ${sentence(reason)}`]
    case 'bursty':
      return [`${subject}: arrivals of ${reason.class} are too bursty for its sizing to be trusted`]
    case 'frontEnd':
      return [`${subject}: its API servers may be the limit before its engines are`]
    default:
      return []
  }
}
