// Mixscaler as a controller: the production `decide` at every tick, its targets through KEDA and the HPA as
// docs/KEDA.md recommends; and the static fleet, which is what one runs without a scaler.
import { decide } from '../core/decide.ts'
import type { Decision } from '../core/decision.ts'
import type { PolicyId, VariantId } from '../core/policy.ts'
import { isMissing } from '../core/reading.ts'
import { sentence } from '../core/sentence.ts'
import { emptyState, type State } from '../core/state.ts'
import type { Tools } from '../core/tools.ts'
import { defaultScaleDown, defaultScaleUp } from '../simulation/hpa.ts'
import { bandsPerHour } from './bands.ts'
import type { Actuation, Controller, Signal, Told } from './controller.ts'
import type { Site, SiteVariant } from './site.ts'
import { targetLayers } from './targetLayers.ts'

export function decideController(site: Site, tools: Tools, intervalSeconds: number): Controller {
  const tolerances = new Map(site.policies.policies.map(({ id, behavior }) => [id, behavior.hpaTolerance]))
  // A memo of plans keeps what the last call used: two kinds of plans would drive each other out.
  const apart: Tools = { ...tools, plans: new Map() }
  let state: State = emptyState
  return {
    name: 'mixscaler',
    intervalSeconds,
    actuation: (variant) => recommendedActuation(variant, tolerances.get(variant.policyId) ?? 0),
    step: (observation) => {
      const before = state
      const decided = decide(site.policies, before, observation, tools)
      state = decided.state
      const signals: Record<VariantId, Signal> = {}
      const wanted: Record<VariantId, number> = {}
      const forecast: Record<string, number> = {}
      for (const policy of decided.decision.policies) {
        for (const variant of policy.variants) {
          const { id, target } = variant
          if (!isMissing(target)) signals[id] = { metric: target, target: 1, active: target >= 1 }
          if (!isMissing(variant.wanted)) wanted[id] = variant.wanted
        }
        for (const { id, forecast: ahead } of policy.classes)
          if (!isMissing(ahead)) forecast[id] = ahead.atQuantile
      }
      return {
        ...{ signals, wanted, forecast },
        why: () => whyOf(decided.decision),
        layers: () => {
          const bands = bandsPerHour(site.policies, decided.decision, {
            state: before,
            observation,
            tools: apart,
          })
          return targetLayers(site.policies, decided.decision, bands)
        },
      }
    },
  }
}

/** In the words of the table: the policy's reasons, then those of its variants. */
function whyOf({ policies }: Decision): Readonly<Record<PolicyId, readonly string[]>> {
  return Object.fromEntries(
    policies.map(({ id, reasons, variants }) => [
      id,
      [
        ...reasons.map(sentence),
        ...variants.map(
          ({ name, wanted, target, reasons: own }) =>
            `${name}: wanted ${isMissing(wanted) ? 'unknown' : wanted}, target ${isMissing(target) ? 'none' : target}${own.length === 0 ? '' : `: ${own.map(sentence).join('; ')}`}`,
        ),
      ],
    ]),
  )
}

/** As docs/KEDA.md has it: every count is reached at once; holding back is the scaler's business. */
export function recommendedActuation({ bounds }: SiteVariant, tolerance: number): Actuation {
  return {
    kind: 'keda',
    pollingSeconds: 15,
    cooldownSeconds: 120,
    behavior: {
      scaleUp: { ...defaultScaleUp, policies: [{ type: 'Pods', value: 100, periodSeconds: 15 }], tolerance },
      scaleDown: { ...defaultScaleDown, stabilizationWindowSeconds: 0, tolerance },
    },
    minReplicas: bounds.min,
    maxReplicas: bounds.max,
  }
}

/** The same counts all the time; variants that are not named have none. */
export function staticController(replicas: Readonly<Record<VariantId, number>>): Controller {
  const signals = Object.fromEntries(
    Object.entries(replicas).map(([id, count]) => [id, { metric: count, target: 1, active: count >= 1 }]),
  )
  const told: Told = { signals, wanted: replicas, forecast: {} }
  return {
    name: 'static',
    intervalSeconds: 60,
    actuation: () => ({ kind: 'direct' }),
    step: () => told,
  }
}
