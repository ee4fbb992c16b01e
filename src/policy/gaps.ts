// What a policy needs and does not have: a class nobody serves, half a transfer group, a price. Asked only of
// documents that were read whole, since a broken one may well have said it.
import { nearest } from '../core/nearest.ts'
import { didYouMean, type PolicyDocument } from './decode.ts'
import {
  type Documents,
  mayServe,
  type PlacedVariant,
  poolsOf,
  problem,
  type Spot,
  variantsOf,
  within,
} from './documents.ts'
import type { PolicyProblem } from './problem.ts'
import { scheduleGaps } from './scheduleProblems.ts'
import type { StatedClass } from './schema.ts'

export function gaps(documents: Documents): readonly PolicyProblem[] {
  const whole = documents.policies.filter((policy) => policy.intact)
  return [
    ...whole.flatMap((policy) => [
      ...unknownClasses(policy),
      ...transferGroups(policy),
      ...unservedClasses(policy),
      ...indistinctDemand(policy),
      ...shares(policy),
      ...tooLittleCache(policy),
      ...scheduleGaps(policy),
    ]),
    ...(documents.intact ? [...unknownPools(documents), ...unknownAccess(documents)] : []),
  ]
}

function unknownClasses(policy: PolicyDocument): readonly PolicyProblem[] {
  const known = policy.stated.spec.classes.map(({ name }) => name)
  return variantsOf(policy).flatMap((one) =>
    (one.variant.classes ?? []).flatMap((name, index) => {
      if (known.includes(name)) return []
      const message = `must be a class of this policy, ${known.join(', ')}${didYouMean(nearest(name, known))}`
      return [
        problem(within(one, 'classes', index), message, { tree: policy.tree, path: ['spec', 'classes'] }),
      ]
    }),
  )
}

function transferGroups(policy: PolicyDocument): readonly PolicyProblem[] {
  const variants = variantsOf(policy)
  return variants.flatMap((one) => {
    const { role, transferGroup } = one.variant
    if (role === 'unified') {
      if (transferGroup === undefined) return []
      const message = 'is for prefill and decode variants; a unified one hands nothing over'
      return [problem(within(one, 'transferGroup'), message, within(one, 'role'))]
    }
    const other = role === 'prefill' ? 'decode' : 'prefill'
    if (transferGroup === undefined) {
      const message = `is missing: a ${role} variant shares a group with the ${other} variants it works with`
      return [problem(within(one, 'transferGroup'), message, within(one, 'role'))]
    }
    const inGroup = variants.filter(({ variant }) => variant.transferGroup === transferGroup)
    if (inGroup.some(({ variant }) => variant.role === other) || inGroup[0] !== one) return []
    const message = `has no ${other} variant in this policy; its ${role} variants have no counterpart`
    const otherSide = variants.find(({ variant }) => variant.role === other)
    const against = otherSide === undefined ? within(one, 'role') : within(otherSide, 'transferGroup')
    return [problem(within(one, 'transferGroup'), message, against)]
  })
}

function unservedClasses(policy: PolicyDocument): readonly PolicyProblem[] {
  const variants = variantsOf(policy)
  return policy.stated.spec.classes.flatMap((trafficClass, index) => {
    const serving = variants.filter(({ variant }) => mayServe(variant, trafficClass))
    const groupsOf = (role: string) =>
      serving.filter(({ variant }) => variant.role === role).map(({ variant }) => variant.transferGroup)
    const decodes = groupsOf('decode')
    const isServed =
      serving.some(({ variant }) => variant.role === 'unified') ||
      groupsOf('prefill').some((group) => decodes.includes(group))
    if (isServed) return []
    const message = 'is a class that no variant may serve from prompt to answer'
    return [problem(className(policy, index), message, { tree: policy.tree, path: ['spec', 'variants'] })]
  })
}

/** Engines count requests, not classes: at most one class of a variant can be what the others leave over. */
function indistinctDemand(policy: PolicyDocument): readonly PolicyProblem[] {
  const { classes, variants } = policy.stated.spec
  const atEngines = classes.flatMap((trafficClass, index) =>
    trafficClass.demand === undefined ? [{ trafficClass, index }] : [],
  )
  return atEngines.flatMap(({ trafficClass, index }, order) => {
    for (const earlier of atEngines.slice(0, order)) {
      const shared = variants.find(
        (variant) => mayServe(variant, trafficClass) && mayServe(variant, earlier.trafficClass),
      )
      if (shared === undefined) continue
      const message = `is missing: engines of ${shared.name} cannot tell ${trafficClass.name} from ${earlier.trafficClass.name}, so one of the two needs a query`
      const at: Spot = { tree: policy.tree, path: ['spec', 'classes', index, 'demand'] }
      return [problem(at, message, className(policy, earlier.index))]
    }
    return []
  })
}

/** Prefill and decode each carry a class's traffic once, next to the unified variants. */
function shares(policy: PolicyDocument): readonly PolicyProblem[] {
  const variants = variantsOf(policy)
  return policy.stated.spec.classes
    .flatMap((trafficClass, index) =>
      (['prefill', 'decode'] as const).flatMap((side) => {
        const serving = variants.filter(
          ({ variant }) =>
            mayServe(variant, trafficClass) && (variant.role === 'unified' || variant.role === side),
        )
        return shareProblems(className(policy, index), trafficClass, serving)
      }),
    )
    .filter(distinct)
}

function shareProblems(
  at: Spot,
  trafficClass: StatedClass,
  serving: readonly PlacedVariant[],
): readonly PolicyProblem[] {
  const last = serving.at(-1)
  if (last === undefined) return []
  const sum = (of: 'minShare' | 'maxShare') => serving.reduce((total, { variant }) => total + variant[of], 0)
  const rounding = 1e-9
  if (sum('minShare') > 1 + rounding)
    return [problem(within(last, 'minShare'), `brings the shares of ${trafficClass.name} above 100%`, at)]
  if (sum('maxShare') < 1 - rounding)
    return [problem(within(last, 'maxShare'), `leaves part of ${trafficClass.name} to no variant`, at)]
  return []
}

function tooLittleCache(policy: PolicyDocument): readonly PolicyProblem[] {
  return variantsOf(policy).flatMap((one) => {
    const { kvTokens } = one.variant.engine
    if (kvTokens === undefined) return []
    return policy.stated.spec.classes.flatMap((trafficClass, index) => {
      const { promptTokens, outputTokens } = trafficClass.assumedShape
      if (!mayServe(one.variant, trafficClass) || promptTokens + outputTokens <= kvTokens) return []
      const message = `must hold a request of ${trafficClass.name}, ${promptTokens} + ${outputTokens} tokens`
      return [problem(within(one, 'engine', 'kvTokens'), message, className(policy, index))]
    })
  })
}

function unknownPools(documents: Documents): readonly PolicyProblem[] {
  const known = poolsOf(documents).map(({ name }) => name)
  return documents.policies.flatMap(variantsOf).flatMap((one) => {
    const { pool, accelerator } = one.variant
    if (pool === undefined || pool === accelerator.type || known.includes(pool)) return []
    const declared = known.length === 0 ? 'none is' : known.join(', ')
    const message = `must be a pool declared under spec.pools (${declared})${didYouMean(nearest(pool, known))}`
    return [problem(within(one, 'pool'), message)]
  })
}

function unknownAccess(documents: Documents): readonly PolicyProblem[] {
  const known = documents.policies.map(({ stated }) => `${stated.metadata.namespace}/${stated.metadata.name}`)
  return documents.fleets.flatMap(({ tree, stated }) =>
    stated.spec.access.flatMap(({ policy }, index) => {
      if (known.includes(policy)) return []
      const message = `must be a policy as namespace/name, such as ${known[0] ?? 'chat/llama-70b'}${didYouMean(nearest(policy, known))}`
      return [problem({ tree, path: ['spec', 'access', index, 'policy'] }, message)]
    }),
  )
}

function className(policy: PolicyDocument, index: number): Spot {
  return { tree: policy.tree, path: ['spec', 'classes', index, 'name'] }
}

function distinct(one: PolicyProblem, index: number, all: readonly PolicyProblem[]): boolean {
  return all.findIndex((other) => other.path === one.path && other.message === one.message) === index
}
