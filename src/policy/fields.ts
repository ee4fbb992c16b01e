// The kinds of field that policies are made of: each knows how people write it, what is allowed, and how an
// editor can check it. Errors read on from the field's path; src/policy/schema.ts puts the fields together.
import * as z from 'zod'
import {
  durationPattern,
  durationText,
  type Mistake,
  moneyPattern,
  type Parsed,
  parseDuration,
  parseMoneyPerHour,
  parseShare,
  parseTokens,
  sharePattern,
  tokensPattern,
} from './quantity.ts'

/** `above` is exclusive, the others inclusive; in the unit of the field. */
interface Limits {
  readonly above?: number
  readonly min?: number
  readonly max?: number
}

/** A mapping with these keys and no others. The error of an unknown key lists the known ones. */
export function mapping<const Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const known = Object.keys(shape).join(', ')
  const error = (issue: { readonly code?: string }) =>
    issue.code === 'unrecognized_keys' ? known : `must be a mapping with ${known}`
  return z.strictObject(shape, { error })
}

export function listOf<Item extends z.ZodType>(item: Item) {
  return z.array(item, { error: 'must be a list' })
}

/** A list that says something: leaving it out is how to say nothing. */
export function someOf<Item extends z.ZodType>(item: Item) {
  return listOf(item).min(1, { error: 'must have at least one entry' })
}

export function text() {
  return z.string({ error: 'must be text' }).regex(/\S/, { error: 'must not be empty' })
}

/** A name that can stand in an id, a metric label and KEDA's metadata. */
export function name() {
  return z.string({ error: 'must be a name' }).regex(/^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/, {
    error: 'must be at most 63 lower-case letters, digits, "-" and ".", with a letter or digit at both ends',
  })
}

/** The name of a Kubernetes object, which may be longer. */
export function objectName() {
  return z.string({ error: 'must be a name' }).regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/, {
    error: 'must be a Kubernetes name: lower-case letters, digits, "-" and "."',
  })
}

/** An accelerator type or a pool: as the cluster labels it, so capitals are allowed. */
export function acceleratorName() {
  return z.string({ error: 'must be a name' }).regex(/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/, {
    error: 'must be at most 63 letters, digits, "-", "_" and ".", with a letter or digit at both ends',
  })
}

export function labelName() {
  return z.string({ error: 'must be text' }).regex(/^(?!__|mixscaler_)[a-zA-Z_][a-zA-Z0-9_]*$/, {
    error:
      'must be a Prometheus label name: letters, digits and "_", not starting with a digit, "__" or "mixscaler_"',
  })
}

export function count(limits: { readonly min: number; readonly max: number }) {
  const error = `must be a whole number from ${limits.min} to ${limits.max}`
  return z.number({ error }).multipleOf(1, { error }).min(limits.min, { error }).max(limits.max, { error })
}

/** A coefficient of the iteration-time law, in milliseconds and tokens. */
export function coefficient() {
  return z
    .number({ error: 'must be a number, in milliseconds and tokens' })
    .min(0, { error: 'must be at least 0' })
}

export function duration(limits: Limits) {
  return quantity(
    parseDuration,
    'a duration such as 90s, 50ms or 1h30m',
    durationPattern,
    limits,
    durationText,
  )
}

export function moneyPerHour() {
  const show = (perHour: number) => `$${perHour}/h`
  return quantity(parseMoneyPerHour, 'money per hour such as $3.90/h', moneyPattern, { min: 0 }, show)
}

export function share(limits: Limits) {
  const show = (value: number) => `${Number((value * 100).toPrecision(6))}%`
  return quantity(parseShare, 'a share such as 5% or 0.05', sharePattern, limits, show)
}

export function tokens(limits: Limits = { min: 1 }) {
  return quantity(parseTokens, 'a number of tokens such as 8192 or 400k', tokensPattern, limits, String)
}

/** Text or number as written, turned into the number meant; `show` writes a limit as people would. */
function quantity(
  parse: (written: string | number) => Parsed,
  what: string,
  pattern: string,
  limits: Limits,
  show: (value: number) => string,
) {
  const bound = bounds(limits, show)
  const written = z.union([z.string().meta({ pattern }), z.number()], { error: `must be ${what}` })
  return written.transform((value, context) => {
    const parsed = parse(value)
    const mistake = parsed.kind === 'mistake' ? parsed : bound(parsed.value)
    if (parsed.kind === 'number' && mistake === undefined) return parsed.value
    context.addIssue({ code: 'custom', message: mistake?.message ?? `must be ${what}`, continue: true })
    return z.NEVER
  })
}

function bounds(limits: Limits, show: (value: number) => string): (value: number) => Mistake | undefined {
  const { above, min, max } = limits
  return (value) => {
    if (above !== undefined && value <= above) return mistake(`must be greater than ${show(above)}`)
    if (min !== undefined && value < min) return mistake(`must be at least ${show(min)}`)
    if (max !== undefined && value > max) return mistake(`must be at most ${show(max)}`)
    return undefined
  }
}

function mistake(message: string): Mistake {
  return { kind: 'mistake', message }
}
