// A tree to a typed document, every mistake in it with its place. What is broken is taken out and the rest read
// again, so that contradictions between the sound parts are found in the same run.
import type * as z from 'zod'
import { nearest } from '../core/nearest.ts'
import { compareText, type PolicyProblem } from './problem.ts'
import { fleetDocument, kinds, policyDocument, type StatedFleet, type StatedPolicy } from './schema.ts'
import type { Path, PolicyTree } from './tree.ts'

interface Document<Kind extends string, Stated> {
  readonly kind: Kind
  readonly stated: Stated
  readonly tree: PolicyTree
  /** Nothing was taken out: what is not there was not stated. */
  readonly intact: boolean
}

export type PolicyDocument = Document<'policy', StatedPolicy>
export type FleetDocument = Document<'fleet', StatedFleet>

export interface Decoded {
  /** Absent where too little was left. */
  readonly document?: PolicyDocument | FleetDocument
  readonly problems: readonly PolicyProblem[]
}

export function decode(tree: PolicyTree): Decoded {
  if (isFleet(tree)) {
    const { stated, problems } = parse(fleetDocument, tree)
    if (stated === undefined) return { problems }
    return { document: { kind: 'fleet', stated, tree, intact: problems.length === 0 }, problems }
  }
  const { stated, problems } = parse(policyDocument, tree)
  if (stated === undefined) return { problems }
  return { document: { kind: 'policy', stated, tree, intact: problems.length === 0 }, problems }
}

/** A misspelt kind is still read as the kind it resembles. */
function isFleet(tree: PolicyTree): boolean {
  const { root } = tree
  const kind = typeof root === 'object' && root !== null && 'kind' in root ? root.kind : undefined
  return typeof kind === 'string' && nearest(kind, kinds) === 'Fleet'
}

interface Parsed<Stated> {
  readonly stated?: Stated
  readonly problems: readonly PolicyProblem[]
}

function parse<Stated>(schema: z.ZodType<Stated>, tree: PolicyTree): Parsed<Stated> {
  const first = schema.safeParse(tree.root)
  if (first.success) return { stated: first.data, problems: [] }
  const problems = first.error.issues.flatMap((issue) => problemsOf(issue, [], tree))
  let broken = first.error.issues
  // Each round takes out at least one thing; what is missing then takes its container along.
  for (let rounds = 0; rounds < 100; rounds++) {
    for (const path of brokenPaths(broken, tree)) {
      if (path.length === 0) return { problems }
      tree.remove(path)
    }
    const again = schema.safeParse(tree.root)
    if (again.success) return { stated: again.data, problems }
    broken = again.error.issues
  }
  return { problems }
}

/** What to take out, later list entries first so that earlier indices stay valid. */
function brokenPaths(issues: readonly z.core.$ZodIssue[], tree: PolicyTree): readonly Path[] {
  const paths = issues.flatMap((issue): readonly Path[] => {
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => [...issue.path, key])
    const stands = tree.locate(issue.path, 'value').value !== undefined
    return [stands ? issue.path : issue.path.slice(0, -1)]
  })
  const unique = new Map(paths.map((path) => [JSON.stringify(path), path]))
  return [...unique.values()].sort(laterFirst)
}

function laterFirst(one: Path, other: Path): number {
  for (const [depth, key] of one.entries()) {
    const against = other[depth]
    if (against === undefined) return -1
    if (key === against) continue
    if (typeof key === 'number' && typeof against === 'number') return against - key
    return compareText(String(key), String(against))
  }
  return other.length - one.length
}

function problemsOf(issue: z.core.$ZodIssue, above: Path, tree: PolicyTree): readonly PolicyProblem[] {
  const path = [...above, ...issue.path]
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(tree, [...path, key], issue.message))
    case 'invalid_union': {
      // Of the alternatives, the one that accepts the value's kind knows best what is wrong inside it.
      const inside = issue.errors.filter((issues) => issues.every((one) => !isWrongKind(one)))
      const closest = inside.toSorted((one, other) => one.length - other.length)[0]
      if (closest !== undefined) return closest.flatMap((one) => problemsOf(one, path, tree))
      return [problemAt(tree, path, issue.message)]
    }
    case 'invalid_key':
      return [problemAt(tree, path, issue.issues[0]?.message ?? issue.message, 'key')]
    case 'invalid_value':
      return [problemAt(tree, path, `${issue.message}${suggestion(tree, path, issue.values.map(String))}`)]
    case 'invalid_type':
      return [problemAt(tree, path, `${issue.message}${quoteHint(issue.expected, tree, path)}`)]
    default:
      return [problemAt(tree, path, issue.message)]
  }
}

function isWrongKind(issue: z.core.$ZodIssue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value')
}

function unknownKey(tree: PolicyTree, path: Path, known: string): PolicyProblem {
  const { place, sourceLine } = tree.locate(path, 'key')
  // Of two letters, everything is near to everything.
  const key = String(path.at(-1))
  const meant = key.length > 2 ? nearest(key, known.split(', ')) : undefined
  return { ...place, message: `is not a known key${didYouMean(meant)}; known here: ${known}`, sourceLine }
}

function problemAt(
  tree: PolicyTree,
  path: Path,
  message: string,
  part: 'key' | 'value' = 'value',
): PolicyProblem {
  const { place, value, sourceLine } = tree.locate(path, part)
  if (value === undefined) return { ...place, message: `is missing: it ${message}`, sourceLine }
  return part === 'key' ? { ...place, message, sourceLine } : { ...place, message, value, sourceLine }
}

function suggestion(tree: PolicyTree, path: Path, allowed: readonly string[]): string {
  const { value } = tree.locate(path, 'value')
  const meant = value?.startsWith('"') ? nearest(value.slice(1, -1), allowed) : undefined
  return didYouMean(meant)
}

export function didYouMean(meant: string | undefined): string {
  return meant === undefined ? '' : ` (did you mean ${meant}?)`
}

/** YAML reads 1e3, true and ~ as something other than text: say how to make it text. */
function quoteHint(expected: string, tree: PolicyTree, path: Path): string {
  const { value } = tree.locate(path, 'value')
  if (expected !== 'string' || value === undefined) return ''
  if (/^(a mapping|a list|nothing)$/.test(value)) return ''
  const kind = /^(true|false)$/i.test(value) ? 'a boolean' : /^(~|null)$/i.test(value) ? 'null' : 'a number'
  return ` (YAML reads ${kind}: put it in quotes)`
}
