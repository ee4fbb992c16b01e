// An explanation as text for a person and as a document for programs. Both say the same sentences.
import type { Alternative } from '../core/explain/alternatives.ts'
import type { PolicyExplanation, VariantExplanation } from '../core/explain/explain.ts'
import type { Restriction } from '../core/optimize/explain.ts'
import { type Reason, sentence } from '../core/reason.ts'
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
import { bullets, wrap } from './table.ts'

/** Requests per second that are printed as more than 0.00. */
const leastRate = 0.005

/** `width` in columns. Ends with a line feed. */
export function explainText(explanations: readonly PolicyExplanation[], width: number): string {
  const [first] = explanations
  const time = first === undefined ? '' : ` at ${instant(first.at)}`
  const lines = [`Explanation${time}`]
  for (const each of explanations) lines.push('', ...policyLines(each, width))
  return `${lines.join('\n')}\n`
}

export function explainDocument(explanations: readonly PolicyExplanation[]): object {
  return {
    format: 'mixscaler-explanation/1',
    policies: explanations.map((each) => ({
      id: each.decision.id,
      model: each.decision.model,
      at: each.at,
      time: instant(each.at),
      status: each.decision.status,
      costPerHour: each.decision.costPerHour,
      reasons: policyReasons(each).map((reason) => ({ ...reason, text: sentence(reason) })),
      classes: each.classes.map(withText(classSentence)),
      variants: each.variants.map(variantDocument),
      ...(each.cheapest === undefined
        ? {}
        : { cheapest: { ...each.cheapest, text: heldSentences(each.cheapest) } }),
      limits: each.limits.map(withText(limitSentence)),
      ...(each.mix?.prices === undefined
        ? {}
        : { prices: { ...each.mix.prices, text: priceSentences(each.mix.prices) } }),
      restrictions: (each.mix?.restrictions ?? []).map(withText(restrictionSentence)),
      ...(each.mix?.runnerUp === undefined
        ? {}
        : { runnerUp: withText(runnerUpSentence)(each.mix.runnerUp) }),
      alternatives: each.alternatives.map(withText(alternativeSentence)),
      remedies: each.remedies.map(withText(alternativeSentence)),
    })),
  }
}

function variantDocument({ decision, neighbour, carries, ...rest }: VariantExplanation): object {
  const { reasons, capacity: _, ...counts } = decision
  return {
    ...counts,
    ...rest,
    carries: carries.map(withText((each) => `${carriesSentence(each)}; ${replicaSentence(each)}`)),
    ...(neighbour === undefined ? {} : { neighbour: withText(alternativeSentence)(neighbour) }),
    reasons: reasons.map((reason) => ({ ...reason, text: sentence(reason) })),
  }
}

function withText<T extends object>(say: (fact: T) => string): (fact: T) => object {
  return (fact) => ({ ...fact, text: say(fact) })
}

function policyLines(each: PolicyExplanation, width: number): string[] {
  const { decision, cheapest, mix } = each
  const { now, plan } = decision.costPerHour
  const cost = `now ${shown(now, money)}, plan ${shown(plan, money)}${change(now, plan)}`
  const held = cheapest === undefined ? [] : heldSentences(cheapest)
  const isShort = decision.status === 'shortfall'
  const help = isShort && each.remedies.length === 0 ? [noRemedy] : each.remedies.map(withCommand)
  const only = each.variants.length < decision.variants.length ? each.variants[0]?.decision.id : undefined
  const restrictions = (mix?.restrictions ?? []).filter(({ restriction }) => concerns(restriction, only))
  return [
    ...wrap(`${decision.id}: ${decision.status} (${decision.model}); ${cost}`, width),
    ...bullets([...policyReasons(each).map(sentence), ...held], width),
    ...section('Demand', each.classes.map(classSentence), width),
    ...each.variants.flatMap((variant) => ['', ...variantLines(variant, width)]),
    ...section('What is shared', each.limits.map(limitSentence), width),
    ...section('What would help', help, width),
    ...section('What one change would do', each.alternatives.map(withCommand), width),
    ...section('What is stated costs', restrictions.map(restrictionSentence), width),
    ...section(
      'Prices at the margin (fractions of replicas allowed, starts weighed in)',
      mix?.prices === undefined ? [] : priceSentences(mix.prices),
      width,
    ),
    ...section('Next best mix', mix?.runnerUp === undefined ? [] : [runnerUpSentence(mix.runnerUp)], width),
  ]
}

function variantLines(variant: VariantExplanation, width: number): string[] {
  const { carries, load, neighbour, decision } = variant
  const used = carries.filter(({ requestsPerSecond }) => requestsPerSecond >= leastRate)
  return [
    ...wrap(variantTitle(variant), width),
    ...bullets(
      [
        ...used.map(carriesSentence),
        ...(load === undefined ? [] : [loadSentence(load)]),
        ...carries.map(replicaSentence),
        ...(neighbour === undefined ? [] : [withCommand(neighbour)]),
        ...decision.reasons.filter(({ kind }) => kind !== 'carries').map(sentence),
      ],
      width,
    ),
  ]
}

/** What the other sections say with their numbers is not said twice. */
function policyReasons({ decision }: PolicyExplanation): readonly Reason[] {
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

function section(title: string, sentences: readonly string[], width: number): string[] {
  return sentences.length === 0 ? [] : ['', title, ...bullets(sentences, width)]
}

function instant(at: number): string {
  return new Date(at * 1000).toISOString().replace('.000Z', 'Z')
}
