// An explanation as groups of facts under titles, for the text and for reports: what stands where is said once.
import type { Alternative } from '../core/explain/alternatives.ts'
import type { PolicyExplanation, VariantExplanation } from '../core/explain/explain.ts'
import type { Restriction } from '../core/optimize/explain.ts'
import type { Reason } from '../core/reason.ts'
import { sentence } from '../core/sentence.ts'
import {
  alternativeSentence,
  carriesSentence,
  classSentence,
  heldSentences,
  limitSentence,
  loadSentence,
  noRemedy,
  priceSentences,
  replicaSentence,
  restrictionSentence,
  runnerUpSentence,
  variantTitle,
} from './explainSentences.ts'
import { change, money, shown } from './figures.ts'

export interface FactGroup {
  readonly title: string
  /** Without their full stops. */
  readonly sentences: readonly string[]
}

/** Requests per second that are printed as more than 0.00. */
const leastRate = 0.005

/** The policy itself comes first; groups of the plan without a fact are left out. */
export function factGroups(each: PolicyExplanation): readonly FactGroup[] {
  const { decision, cheapest, mix } = each
  const { now, plan } = decision.costPerHour
  const cost = `now ${shown(now, money)}, plan ${shown(plan, money)}${change(now, plan)}`
  const held = cheapest === undefined ? [] : heldSentences(cheapest)
  const isShort = decision.status === 'shortfall'
  const help = isShort && each.remedies.length === 0 ? [noRemedy] : each.remedies.map(withCommand)
  const only = each.variants.length < decision.variants.length ? each.variants[0]?.decision.id : undefined
  const restrictions = (mix?.restrictions ?? []).filter(({ restriction }) => concerns(restriction, only))
  return [
    {
      title: `${decision.id}: ${decision.status} (${decision.model}); ${cost}`,
      sentences: [...policyReasons(each).map(sentence), ...held],
    },
    ...group('Demand', each.classes.map(classSentence)),
    ...each.variants.map((variant) => ({ title: variantTitle(variant), sentences: variantFacts(variant) })),
    ...group('What is shared', each.limits.map(limitSentence)),
    ...group('What would help', help),
    ...group('What one change would do', each.alternatives.map(withCommand)),
    ...group('What is stated costs', restrictions.map(restrictionSentence)),
    ...group(
      'Prices at the margin (fractions of replicas allowed, starts weighed in)',
      mix?.prices === undefined ? [] : priceSentences(mix.prices),
    ),
    ...group('Next best mix', mix?.runnerUp === undefined ? [] : [runnerUpSentence(mix.runnerUp)]),
  ]
}

function group(title: string, sentences: readonly string[]): readonly FactGroup[] {
  return sentences.length === 0 ? [] : [{ title, sentences }]
}

function variantFacts({ carries, load, neighbour, decision }: VariantExplanation): readonly string[] {
  const used = carries.filter(({ requestsPerSecond }) => requestsPerSecond >= leastRate)
  return [
    ...used.map(carriesSentence),
    ...(load === undefined ? [] : [loadSentence(load)]),
    ...carries.map(replicaSentence),
    ...(neighbour === undefined ? [] : [withCommand(neighbour)]),
    ...decision.reasons.filter(({ kind }) => kind !== 'carries').map(sentence),
  ]
}

/** What the other sections say with their numbers is not said twice. */
export function policyReasons({ decision }: PolicyExplanation): readonly Reason[] {
  const elsewhere: readonly Reason['kind'][] = [
    'demand',
    'shortfall',
    'assumedShape',
    'poolFull',
    'overBudget',
    'notWorthIt',
  ]
  return decision.reasons.filter(({ kind }) => !elsewhere.includes(kind))
}

/** About one variant, what is stated for the others is left out. */
function concerns(restriction: Restriction, only: string | undefined): boolean {
  return only === undefined || !('variant' in restriction) || restriction.variant === only
}

function withCommand(each: Alternative): string {
  return `${alternativeSentence(each)} [${each.whatIf}]`
}
