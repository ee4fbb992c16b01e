// A range of instants on a grid: what history is asked for, and in which parts.

export interface Span {
  /** First and last instant, seconds since the epoch, both included. */
  readonly from: number
  readonly until: number
  readonly stepSeconds: number
}

/** Oldest first. Empty where `until` lies before `from`. */
export function instantsOf({ from, until, stepSeconds }: Span): readonly number[] {
  const count = Math.max(0, Math.floor((until - from) / stepSeconds + 1e-6) + 1)
  return Array.from({ length: count }, (_, index) => from + index * stepSeconds)
}

/** The same instants in parts of at most so many. */
export function partsOf(span: Span, most: number): readonly Span[] {
  const instants = instantsOf(span)
  const parts: Span[] = []
  for (let first = 0; first < instants.length; first += most) {
    const part = instants.slice(first, first + most)
    parts.push({ ...span, from: part[0] ?? span.from, until: part.at(-1) ?? span.until })
  }
  return parts
}
