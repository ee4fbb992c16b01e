// An explanation as text for a person and as a document for programs. Both say the same sentences.
import type { PolicyExplanation, VariantExplanation } from '../core/explain/explain.ts'
import { sentence } from '../core/sentence.ts'
import { factGroups, policyReasons } from './explainFacts.ts'
import {
  alternativeSentence,
  carriesSentence,
  classSentence,
  heldSentences,
  limitSentence,
  priceSentences,
  replicaSentence,
  restrictionSentence,
  runnerUpSentence,
} from './explainSentences.ts'
import { bullets, wrap } from './table.ts'

/** `width` in columns. Ends with a line feed. */
export function explainText(explanations: readonly PolicyExplanation[], width: number): string {
  const [first] = explanations
  const time = first === undefined ? '' : ` at ${instant(first.at)}`
  const lines = [`Explanation${time}`]
  for (const each of explanations)
    for (const { title, sentences } of factGroups(each))
      lines.push('', ...wrap(title, width), ...bullets(sentences, width))
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

function instant(at: number): string {
  return new Date(at * 1000).toISOString().replace('.000Z', 'Z')
}
