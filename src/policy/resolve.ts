// What a variant leaves to others: its profile, from the library, and its price, from the fleet's price book.
import type { Profile, ResolveProfile } from '../core/profile.ts'
import type { PolicyDocument } from './decode.ts'
import { type Documents, type PlacedVariant, problem, variantsOf, within } from './documents.ts'
import type { PolicyProblem } from './problem.ts'
import type { StatedVariant } from './schema.ts'

export interface ResolvedVariant extends PlacedVariant {
  readonly costPerHour: number
  readonly profile: Profile
}

export interface Resolved {
  /** Those for which both were found, in the order of the policy. */
  readonly variants: readonly ResolvedVariant[]
  readonly problems: readonly PolicyProblem[]
}

export function resolveVariants(
  policy: PolicyDocument,
  documents: Documents,
  resolveProfile: ResolveProfile,
): Resolved {
  const problems: PolicyProblem[] = []
  const variants = variantsOf(policy).flatMap((one): readonly ResolvedVariant[] => {
    const profile = profileOf(one, policy, resolveProfile)
    const costPerHour = costOf(one.variant, documents)
    // Something that was not read may have been the name, or the price: only whole documents lack them.
    const named = typeof one.variant.profile === 'string'
    if (typeof profile === 'string' && (named || policy.intact))
      problems.push(problem(within(one, 'profile'), profile, within(one, 'accelerator', 'type')))
    if (costPerHour === undefined && documents.intact) {
      const { type } = one.variant.accelerator
      const message = `is missing: state it, such as $3.90/h, or the price of ${type} in spec.prices of a Fleet`
      problems.push(problem(within(one, 'cost'), message, within(one, 'accelerator', 'type')))
    }
    return typeof profile === 'string' || costPerHour === undefined ? [] : [{ ...one, costPerHour, profile }]
  })
  return { variants, problems }
}

/** The profile, or why there is none. */
function profileOf(
  { variant }: PlacedVariant,
  policy: PolicyDocument,
  resolveProfile: ResolveProfile,
): Profile | string {
  const { profile } = variant
  if (typeof profile === 'object') return inline(profile)
  const found = resolveProfile({
    ...(profile === undefined ? {} : { name: profile }),
    model: policy.stated.spec.model,
    acceleratorType: variant.accelerator.type,
    acceleratorCount: variant.accelerator.count,
  })
  if (found.kind === 'found') return found.profile
  const near = found.nearest.length === 0 ? '' : ` (near: ${found.nearest.join(', ')})`
  if (profile !== undefined) return `must be the name of a profile in the library${near}`
  const what = `${policy.stated.spec.model} on ${variant.accelerator.count} x ${variant.accelerator.type}`
  return `is missing: nothing is known of ${what}, so name a profile${near} or state its coefficients`
}

function inline(stated: Extract<StatedVariant['profile'], object>): Profile {
  const { source, ap, bp, kvTokens, mixtureOfExperts, ...coefficients } = stated
  return {
    ...coefficients,
    name: 'policy',
    quality: 'stated',
    source: source ?? 'the policy',
    ap: ap ?? coefficients.a,
    bp: bp ?? coefficients.b,
    ...(mixtureOfExperts === undefined ? {} : { mixtureOfExperts }),
    ...(kvTokens === undefined ? {} : { kvTokens }),
  }
}

/** Per replica and hour. */
function costOf(variant: StatedVariant, documents: Documents): number | undefined {
  if (variant.cost !== undefined) return variant.cost
  const { type, count } = variant.accelerator
  const prices = documents.fleets.map(({ stated }) => stated.spec.prices[type])
  const price = prices.find((perGpu) => perGpu !== undefined)
  return price === undefined ? undefined : price * count
}
