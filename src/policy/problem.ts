// What is wrong with a policy, where, and what would be right: one problem per mistake, so that all of them
// can be listed at once and each can be found without reading the file from the top.

export interface Place {
  readonly file: string
  /** Both from 1. */
  readonly line: number
  readonly column: number
  /** `spec.variants[1].cost`; empty for the document itself. */
  readonly path: string
}

export interface PolicyProblem extends Place {
  /** What is wrong and what is allowed: `must be greater than 0s`. Reads on from the path. */
  readonly message: string
  /** What stands in the file, as it is written there; absent where nothing stands. */
  readonly value?: string
  /** The other side of a contradiction. */
  readonly against?: Place
  /** The line of the file, for people. */
  readonly sourceLine: string
}

/** `slo.ttft.p95 must be greater than 0s: got "-1s" (chat.yaml:12:9)`. */
export function problemText(problem: PolicyProblem): string {
  const subject = problem.path === '' ? '' : `${problem.path} `
  const value = problem.value === undefined ? '' : `: got ${problem.value}`
  const other =
    problem.against === undefined ? '' : `; against ${problem.against.path} at ${position(problem.against)}`
  return `${subject}${problem.message}${value} (${position(problem)}${other})`
}

/** The text, and under it the line with a caret at the place. */
export function problemExcerpt(problem: PolicyProblem): string {
  // A line may be a megabyte long: show what stands around the place.
  const from = Math.max(0, problem.column - 1 - 60)
  const shown = problem.sourceLine.slice(from, from + 110).replaceAll('\t', ' ')
  const gutter = `${problem.line} | `
  const caret = `${' '.repeat(gutter.length + problem.column - 1 - from)}^`
  return `${problemText(problem)}\n${gutter}${shown}\n${caret}`
}

/** By file, then from top to bottom. */
export function byPlace(one: Place, other: Place): number {
  return compareText(one.file, other.file) || one.line - other.line || one.column - other.column
}

/** By code unit: the same on every machine, unlike a locale's order. */
export function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}

function position(place: Place): string {
  return `${place.file}:${place.line}:${place.column}`
}
