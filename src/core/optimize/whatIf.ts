// "What if traffic doubled, the pool held 64 H100s, ITL could be 60 ms?" Answered by changing the policies and running
// the same decision: no second code path. `demand=2x,pool.h100=64,slo.chat.itl=60ms,price.h100=2.9,variant.l40s.max=0`.
import type { LatencyBound, PolicySet, ScalingPolicy, ServiceLevel, Variant } from '../policy.ts'

export type WhatIf =
  | { readonly kind: 'applied'; readonly policies: PolicySet }
  /** One message for each part that cannot be read or names nothing. */
  | { readonly kind: 'invalid'; readonly errors: readonly string[] }

/**
 * Applies the parts from left to right. Demand is scaled through the headroom, prices are per GPU and hour, `slo.itl`
 * changes every interactive class and `slo.CLASS.itl` one; a max below the min lowers the min too.
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

/** The changed policies, or what is wrong. */
function applyPart(policies: PolicySet, part: string): PolicySet | string {
  const equals = part.indexOf('=')
  if (equals < 1) return 'must be KEY=VALUE, such as demand=2x'
  const value = part.slice(equals + 1)
  const [subject = '', ...names] = part.slice(0, equals).split('.')
  const path = names.join('.')
  switch (subject) {
    case 'demand':
      return names.length > 0 ? 'demand takes no name' : demand(policies, value)
    case 'pool':
      return pool(policies, path, value)
    case 'price':
      return price(policies, path, value)
    case 'slo':
      return serviceLevel(policies, names, value)
    case 'variant':
      return replicas(policies, names, value)
    default:
      return `unknown key "${subject}"; allowed are demand, pool, price, slo, variant`
  }
}

function demand(policies: PolicySet, value: string): PolicySet | string {
  const factor = /^[\d.]+x$/.test(value) ? Number(value.slice(0, -1)) : Number.NaN
  if (!(factor >= 0)) return `must be a factor, such as 2x or 0.5x: got "${value}"`
  return mapPolicies(policies, (policy) => ({
    ...policy,
    behavior: { ...policy.behavior, headroom: (1 + policy.behavior.headroom) * factor - 1 },
  }))
}

function pool(policies: PolicySet, name: string, value: string): PolicySet | string {
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

function price(policies: PolicySet, type: string, value: string): PolicySet | string {
  const perGpu = /^\$?[\d.]+(\/h)?$/.test(value) ? Number(value.replace(/[$]|\/h/g, '')) : Number.NaN
  if (!(perGpu >= 0)) return `must be money per GPU and hour, such as 2.9 or $2.90/h: got "${value}"`
  return changeVariants(
    policies,
    'accelerator',
    type,
    (variant) => variant.accelerator.type,
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
    (variant) => variant.name,
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
  let found = false
  const changed = mapPolicies(policies, (policy) => ({
    ...policy,
    classes: policy.classes.map((trafficClass) => {
      const level = trafficClass.serviceLevel
      const meant = name === '' || name === 'interactive' || name === trafficClass.name
      if (level.kind !== 'interactive' || !meant || level[bound] === undefined) return trafficClass
      found = true
      return { ...trafficClass, serviceLevel: relaxed(level, bound, level[bound], seconds) }
    }),
  }))
  return found ? changed : `no interactive class${name === '' ? '' : ` "${name}"`} with a bound on ${bound}`
}

function relaxed(
  level: ServiceLevel & { readonly kind: 'interactive' },
  bound: 'ttft' | 'itl' | 'tpot',
  before: LatencyBound,
  seconds: number,
): ServiceLevel {
  return { ...level, [bound]: { ...before, seconds } }
}

function changeVariants(
  policies: PolicySet,
  what: string,
  name: string,
  nameOf: (variant: Variant) => string,
  change: (variant: Variant) => Variant,
): PolicySet | string {
  const names = new Set(policies.policies.flatMap((policy) => policy.variants.map(nameOf)))
  if (!names.has(name)) return unknown(what, name, names)
  return mapPolicies(policies, (policy) => ({
    ...policy,
    variants: policy.variants.map((variant) => (nameOf(variant) === name ? change(variant) : variant)),
  }))
}

function mapPolicies(policies: PolicySet, change: (policy: ScalingPolicy) => ScalingPolicy): PolicySet {
  return { ...policies, policies: policies.policies.map(change) }
}

function unknown(what: string, name: string, known: ReadonlySet<string>): string {
  const allowed = [...known].sort().join(', ')
  return `no ${what} "${name}"${allowed === '' ? '' : `; there are ${allowed}`}`
}
