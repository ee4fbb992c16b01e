// What a person means by a name: a policy, the policies of a model, or one variant.
import { nearest } from '../nearest.ts'
import type { PolicyId, PolicySet, VariantId } from '../policy.ts'

/** A policy, or one variant of it. */
export interface Subject {
  readonly policy: PolicyId
  readonly variant?: VariantId
}

export type Subjects =
  /** One, or all policies of that name or model. */
  | { readonly kind: 'found'; readonly subjects: readonly Subject[] }
  /** A variant's name that stands in several policies: the ids to choose from. */
  | { readonly kind: 'ambiguous'; readonly ids: readonly VariantId[] }
  | { readonly kind: 'unknown'; readonly nearest?: string; readonly known: readonly string[] }

/** Ids, then names of policies, then models as people or engines name them, then names of variants. */
export function subjects({ policies }: PolicySet, name: string): Subjects {
  const variants = policies.flatMap((policy) =>
    policy.variants.map(({ id, name: called }) => ({ id, called, policy: policy.id })),
  )
  const matches: readonly (readonly Subject[])[] = [
    policies.filter(({ id }) => id === name).map(({ id }) => ({ policy: id })),
    variants.filter(({ id }) => id === name).map(({ id, policy }) => ({ policy, variant: id })),
    policies.filter((policy) => policy.name === name).map(({ id }) => ({ policy: id })),
    policies
      .filter(({ model, servedNames }) => model === name || servedNames.includes(name))
      .map(({ id }) => ({ policy: id })),
  ]
  const found = matches.find((each) => each.length > 0)
  if (found !== undefined) return { kind: 'found', subjects: found }
  const called = variants.filter((variant) => variant.called === name)
  if (called.length > 1) return { kind: 'ambiguous', ids: called.map(({ id }) => id) }
  const [only] = called
  if (only !== undefined) return { kind: 'found', subjects: [{ policy: only.policy, variant: only.id }] }
  const known = [
    ...policies.flatMap((policy) => [policy.name, policy.model, ...policy.servedNames]),
    ...variants.map((variant) => variant.called),
  ]
  const meant = nearest(name, [...known, ...policies.map(({ id }) => id), ...variants.map(({ id }) => id)])
  return {
    kind: 'unknown',
    ...(meant === undefined ? {} : { nearest: meant }),
    known: [...new Set(known)].sort(),
  }
}
