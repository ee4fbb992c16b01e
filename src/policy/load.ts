// Policy files in, a PolicySet or every problem of every file out. A set is loaded whole or not at all.
import type { PolicySet } from '../core/policy.ts'
import type { ResolveProfile } from '../core/profile.ts'
import { behaviorOf, buildPolicy, buildSet } from './build.ts'
import { conflicts } from './conflicts.ts'
import { decode } from './decode.ts'
import type { Documents } from './documents.ts'
import { gaps } from './gaps.ts'
import { byPlace, compareText, type PolicyProblem } from './problem.ts'
import { reach } from './reach.ts'
import { resolveVariants } from './resolve.ts'
import { type PolicyFile, readTrees } from './tree.ts'

export type LoadedPolicies =
  | {
      readonly kind: 'loaded'
      readonly policies: PolicySet
      /** Allowed, and probably not what was meant. */
      readonly warnings: readonly PolicyProblem[]
    }
  /** At least one; by file, then from top to bottom. */
  | { readonly kind: 'invalid'; readonly problems: readonly PolicyProblem[] }

/** Pure: equal files give equal answers, in whatever order they come. */
export function loadPolicies(files: readonly PolicyFile[], resolveProfile: ResolveProfile): LoadedPolicies {
  const inOrder = files.toSorted((one, other) => compareText(one.file, other.file))
  const read = inOrder.map(readTrees)
  const decoded = read.flatMap(({ trees }) => trees.map(decode))
  const misread = [...read, ...decoded].flatMap(({ problems }) => problems).filter(isFirstAtItsPlace())
  const found = decoded.flatMap(({ document }) => document ?? [])
  const documents: Documents = {
    policies: found.filter((document) => document.kind === 'policy'),
    fleets: found.filter((document) => document.kind === 'fleet'),
    intact: misread.length === 0,
  }
  const drafts = documents.policies.map((policy) => {
    const behavior = behaviorOf(policy, documents)
    const { variants, problems } = resolveVariants(policy, documents, resolveProfile)
    const within = reach(policy, variants, behavior)
    return {
      policy: buildPolicy(policy, variants, behavior),
      problems: [...problems, ...within.problems],
      warnings: within.warnings,
    }
  })
  const problems = [
    ...misread,
    ...conflicts(documents),
    ...gaps(documents),
    ...drafts.flatMap((draft) => draft.problems),
  ].sort(byPlace)
  if (problems.length > 0) return { kind: 'invalid', problems }
  if (drafts.length === 0) return { kind: 'invalid', problems: [noPolicy(inOrder)] }
  return {
    kind: 'loaded',
    policies: buildSet(
      documents,
      drafts.map(({ policy }) => policy),
    ),
    warnings: drafts.flatMap(({ warnings }) => warnings).sort(byPlace),
  }
}

/** A value that cannot be read is not also of the wrong kind: what was found first says it best. */
function isFirstAtItsPlace(): (problem: PolicyProblem) => boolean {
  const seen = new Set<string>()
  return ({ file, line, column, path }) => {
    const known = seen.size
    return seen.add(JSON.stringify([file, line, column, path])).size > known
  }
}

/** An empty set would take every target away: more likely a wrong path or a mount that is not there yet. */
function noPolicy(files: readonly PolicyFile[]): PolicyProblem {
  const message = 'no document of kind ScalingPolicy was found'
  return { file: files[0]?.file ?? 'policies', line: 1, column: 1, path: '', message, sourceLine: '' }
}
