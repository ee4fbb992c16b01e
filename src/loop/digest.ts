// Short names for large values: equal texts have equal digests, and different ones do not by any chance that matters.
import { createHash } from 'node:crypto'
import type { Decision } from '../core/decision.ts'
import type { Observation } from '../core/observation.ts'
import type { PolicySet } from '../core/policy.ts'

export function digest(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex').slice(0, 32)}`
}

/** Of what is seen, without the sentences about it. */
export function observationDigest({ at, variants, classes, pools }: Observation): number {
  return numeric(JSON.stringify([at, variants, classes, pools]))
}

/** Of what KEDA is told. */
export function targetsDigest({ at, policies }: Decision): number {
  const targets = policies.flatMap(({ variants }) => variants.map(({ id, target }) => [id, target]))
  return numeric(JSON.stringify([at, targets]))
}

const ofPolicies = new WeakMap<PolicySet, number>()

/** Of all that the policies in force say; they are long, and stay the same for thousands of ticks. */
export function policiesDigest(policies: PolicySet): number {
  const known = ofPolicies.get(policies) ?? numeric(JSON.stringify(policies))
  ofPolicies.set(policies, known)
  return known
}

/** The first 48 bits: whole as a floating-point number, which is all that a metric can be. */
function numeric(text: string): number {
  return Number.parseInt(createHash('sha256').update(text).digest('hex').slice(0, 12), 16)
}
