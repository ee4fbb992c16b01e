// The journal's format: one JSON value a line. A file begins with who wrote it, the policies in force and the state; then
// each tick is what was seen and what was decided. States in between follow from the decisions, so that only their
// digests are kept; where one does not follow from the tick before (a restart, a change of policies), it is written out.
import type { Decision } from '../core/decision.ts'
import type { Observation } from '../core/observation.ts'
import type { PolicySet } from '../core/policy.ts'
import type { State } from '../core/state.ts'

export const journalFormat = 'mixscaler-journal/1'

export type JournalLine =
  | { readonly kind: 'writer'; readonly format: typeof journalFormat; readonly version: string }
  | { readonly kind: 'policies'; readonly digest: string; readonly policies: PolicySet }
  | { readonly kind: 'state'; readonly digest: string; readonly state: State }
  | {
      readonly kind: 'tick'
      readonly at: number
      /** Digests of the policies in force and of the state before. */
      readonly policies: string
      readonly before: string
      readonly observation: Observation
      readonly decision: Decision
    }

/** The line, or why it is none. */
export function parseLine(text: string): JournalLine | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'not JSON, or cut short'
  }
  if (typeof value !== 'object' || value === null || !('kind' in value)) return 'not a line of a journal'
  const { kind } = value
  if (kind === 'writer') {
    const format = 'format' in value ? value.format : undefined
    if (format !== journalFormat)
      return `format is ${JSON.stringify(format)}: this version reads "${journalFormat}"`
  }
  const keys = typeof kind === 'string' ? required[kind] : undefined
  if (keys === undefined)
    return `kind is ${JSON.stringify(kind)}: it must be ${Object.keys(required).join(', ')}`
  const lacking = keys.filter((key) => !Object.hasOwn(value, key))
  return lacking.length === 0
    ? (value as JournalLine)
    : `a line of kind ${kind} without ${lacking.join(', ')}`
}

const required: Readonly<Record<string, readonly string[]>> = {
  writer: ['format', 'version'],
  policies: ['digest', 'policies'],
  state: ['digest', 'state'],
  tick: ['at', 'policies', 'before', 'observation', 'decision'],
}
