// On what each variant's capacity rests: a measurement, a statement of the policy, or a guess.
import type { PolicySet } from '../core/policy.ts'
import type { ProfileQuality } from '../core/profile.ts'

export interface SizedBy {
  readonly variant: string
  readonly profile: string
  readonly quality: ProfileQuality
  readonly source: string
}

export function sizedBy({ policies }: PolicySet): readonly SizedBy[] {
  return policies.flatMap(({ variants }) =>
    variants.map(({ id, profile: { name, quality, source } }) => ({
      variant: id,
      profile: name,
      quality,
      source,
    })),
  )
}
