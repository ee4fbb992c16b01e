// "What if traffic doubled, the pool held 64 H100s, ITL could be 60 ms?" Answered by changing the policies and running
// the same decision: no second code path. `demand=2x,pool.h100=64,slo.chat.itl=60ms,price.h100=2.9,variant.l40s.max=0`.
import { nearest } from '../nearest.ts'
import type { LatencyBound, PolicySet, ScalingPolicy, ServiceLevel, Variant } from '../policy.ts'

export type WhatIf =
  | { readonly kind: 'applied'; readonly policies: PolicySet }
  /** One message for each part that cannot be read or names nothing. */
  | { readonly kind: 'invalid'; readonly errors: readonly string[] }

/**
 * Applies the parts from left to right. Prices are per GPU and hour; `slo.itl` changes every interactive class and
 * `slo.CLASS.itl` one; `budget` every policy that states one; a max below the min lowers the min too. A name means
 * all that bear it, an id (`namespace/policy/name`) one.
 */
export function applyWhatIf(policies: PolicySet, text: string): WhatIf {
  const errors: string[] = []
  let changed = policies
  for (const part of text.split(',').map((piece) => piece.trim())) {
    const result = applyPart(changed, part)
    if (typeof result === 'string') errors.push(`what-if "${part}": ${result}`)
    else changed = result
  }
  return errors.length > 0 ? { kind: 'invalid', errors } : { kind: 'applied', policies: changed }
}

/** `demand=0.5x..4x:8` as eight parts from 0.5x to 4x in equal steps; a message where it is no sweep. */
export function sweep(text: string): readonly string[] | string {
  const match = /^([^=]+)=([\d.]+)([a-z]*)\.\.([\d.]+)([a-z]*):(\d+)$/.exec(text.trim())
  const from = Number(match?.[2])
  const to = Number(match?.[4])
  const steps = Number(match?.[6])
  if (match === null || match[3] !== match[5] || !Number.isFinite(from + to) || steps < 2 || steps > 100) {
    return `sweep "${text}": must be KEY=FROM..TO:STEPS with 2 to 100 steps, such as demand=0.5x..4x:8`
  }
  return Array.from({ length: steps }, (_, step) => {
    const value = from + ((to - from) * step) / (steps - 1)
    return `${match[1]}=${Number(value.toPrecision(6))}${match[3]}`
  })
}

/** What can be changed, and by what function: the changed policies, or what is wrong. */
const subjects: Readonly<
  Record<string, (policies: PolicySet, names: readonly string[], value: string) => PolicySet | string>
> = { demand, pool, price, slo: serviceLevel, variant: replicas, budget, holdBand }

function applyPart(policies: PolicySet, part: string): PolicySet | string {
  const equals = part.indexOf('=')
  if (equals < 1) return 'must be KEY=VALUE, such as demand=2x'
  const [subject = '', ...names] = part.slice(0, equals).split('.')
  const apply = Object.hasOwn(subjects, subject) ? subjects[subject] : undefined
  if (apply !== undefined) return apply(policies, names, part.slice(equals + 1))
  const allowed = Object.keys(subjects)
  return `unknown key "${subject}"; allowed are ${allowed.join(', ')}${didYouMean(subject, allowed)}`
}

function demand(policies: PolicySet, names: readonly string[], value: string): PolicySet | string {
  if (names.length > 0) return 'demand takes no name'
  const factor = /^[\d.]+x$/.test(value) ? Number(value.slice(0, -1)) : Number.NaN
  if (!(factor >= 0)) return `must be a factor, such as 2x or 0.5x: got "${value}"`
  return mapPolicies(policies, (policy) => ({
    ...policy,
    demandFactor: (policy.demandFactor ?? 1) * factor,
  }))
}

function pool(policies: PolicySet, names: readonly string[], value: string): PolicySet | string {
  const name = names.join('.')
  if (!/^\d+$/.test(value)) return `must be a whole number of GPUs, such as 64: got "${value}"`
  const named = new Set([
    ...policies.pools.map((known) => known.name),
    ...policies.policies.flatMap((policy) => policy.variants.map((variant) => variant.pool)),
  ])
  if (!named.has(name)) return unknown('pool', name, named)
  const others = policies.pools.filter((known) => known.name !== name)
  const pools = [...others, { name, gpus: Number(value) }].sort((x, y) => (x.name < y.name ? -1 : 1))
  return { ...policies, pools }
}

function price(policies: PolicySet, names: readonly string[], value: string): PolicySet | string {
  const type = names.join('.')
  const perGpu = money(value)
  if (perGpu === undefined) return `must be money per GPU and hour, such as 2.9 or $2.90/h: got "${value}"`
  return changeVariants(
    policies,
    'accelerator',
    type,
    ({ accelerator }) => ({ name: accelerator.type, id: accelerator.type }),
    (variant) => ({
      ...variant,
      costPerHour: perGpu * variant.accelerator.countPerReplica,
    }),
  )
}

function replicas(policies: PolicySet, names: readonly string[], value: string): PolicySet | string {
  const bound = names.at(-1)
  const name = names.slice(0, -1).join('.')
  if (bound !== 'min' && bound !== 'max') return 'must be variant.NAME.min or variant.NAME.max'
  if (!/^\d+$/.test(value)) return `must be a whole number of replicas, such as 4: got "${value}"`
  const count = Number(value)
  return changeVariants(
    policies,
    'variant',
    name,
    (variant) => variant,
    (variant) => ({
      ...variant,
      replicas:
        bound === 'max'
          ? { min: Math.min(variant.replicas.min, count), max: count }
          : { min: count, max: Math.max(variant.replicas.max, count) },
    }),
  )
}

function serviceLevel(policies: PolicySet, names: readonly string[], value: string): PolicySet | string {
  const bound = names.at(-1)
  const name = names.slice(0, -1).join('.')
  if (bound !== 'ttft' && bound !== 'itl' && bound !== 'tpot') {
    return 'must be slo.ttft, slo.itl or slo.tpot, or slo.CLASS.ttft and so on'
  }
  const match = /^([\d.]+)(ms|s)$/.exec(value)
  const seconds = Number(match?.[1]) * (match?.[2] === 'ms' ? 1e-3 : 1)
  if (!(seconds > 0)) return `must be a duration above 0, such as 60ms or 1.5s: got "${value}"`
  const bounded = new Set<string>()
  let found = false
  const changed = mapPolicies(policies, (policy) => ({
    ...policy,
    classes: policy.classes.map((trafficClass) => {
      const level = trafficClass.serviceLevel
      if (level.kind !== 'interactive' || level[bound] === undefined) return trafficClass
      bounded.add(trafficClass.name)
      if (name !== '' && name !== 'interactive' && !isCalled(trafficClass, name)) return trafficClass
      found = true
      return { ...trafficClass, serviceLevel: relaxed(level, bound, level[bound], seconds) }
    }),
  }))
  return found ? changed : unknown(`interactive class with a bound on ${bound}`, name, bounded)
}

function budget(policies: PolicySet, names: readonly string[], value: string): PolicySet | string {
  const name = names.join('.')
  const perHour = money(value)
  if (perHour === undefined) return `must be money per hour, such as 160 or $160/h: got "${value}"`
  const isMeant = (policy: ScalingPolicy): boolean =>
    name === '' ? policy.behavior.budgetPerHour !== undefined : isCalled(policy, name)
  if (!policies.policies.some(isMeant)) {
    if (name === '') return 'no policy states a budget; budget.POLICY gives it one'
    return unknown('policy', name, new Set(policies.policies.map((policy) => policy.name)))
  }
  return mapPolicies(policies, (policy) =>
    isMeant(policy) ? { ...policy, behavior: { ...policy.behavior, budgetPerHour: perHour } } : policy,
  )
}

function holdBand(policies: PolicySet, names: readonly string[], value: string): PolicySet | string {
  if (names.length > 0) return 'holdBand takes no name'
  const percents = value.endsWith('%')
  const share = /^[\d.]+%?$/.test(value) ? Number(value.replace('%', '')) / (percents ? 100 : 1) : Number.NaN
  if (!(share >= 0 && share < 1)) return `must be a share below 100%, such as 5% or 0: got "${value}"`
  return mapPolicies(policies, (policy) => ({
    ...policy,
    behavior: { ...policy.behavior, holdBand: share },
  }))
}

function money(value: string): number | undefined {
  const amount = /^\$?[\d.]+(\/h)?$/.test(value) ? Number(value.replace(/[$]|\/h/g, '')) : Number.NaN
  return amount >= 0 ? amount : undefined
}

function relaxed(
  level: ServiceLevel & { readonly kind: 'interactive' },
  bound: 'ttft' | 'itl' | 'tpot',
  before: LatencyBound,
  seconds: number,
): ServiceLevel {
  return { ...level, [bound]: { ...before, seconds } }
}

interface Called {
  readonly name: string
  readonly id: string
}

function isCalled(thing: Called, name: string): boolean {
  return thing.name === name || thing.id === name
}

function changeVariants(
  policies: PolicySet,
  what: string,
  name: string,
  calledOf: (variant: Variant) => Called,
  change: (variant: Variant) => Variant,
): PolicySet | string {
  const called = policies.policies.flatMap((policy) => policy.variants.map(calledOf))
  if (!called.some((thing) => isCalled(thing, name))) {
    return unknown(what, name, new Set(called.map((thing) => thing.name)))
  }
  return mapPolicies(policies, (policy) => ({
    ...policy,
    variants: policy.variants.map((variant) =>
      isCalled(calledOf(variant), name) ? change(variant) : variant,
    ),
  }))
}

function mapPolicies(policies: PolicySet, change: (policy: ScalingPolicy) => ScalingPolicy): PolicySet {
  return { ...policies, policies: policies.policies.map(change) }
}

function unknown(what: string, name: string, known: ReadonlySet<string>): string {
  const allowed = [...known].sort()
  const named = name === '' ? `no ${what}` : `no ${what} "${name}"`
  return allowed.length === 0
    ? named
    : `${named}; there are ${allowed.join(', ')}${didYouMean(name, allowed)}`
}

function didYouMean(typed: string, known: readonly string[]): string {
  const meant = nearest(typed, known)
  return meant === undefined ? '' : `. Did you mean "${meant}"?`
}
