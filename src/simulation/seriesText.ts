// The Prometheus text format (version 0.0.4), as vLLM's Python client writes it: one sample per line. As in
// Prometheus, one malformed line spoils the scrape, and of a series that is there twice the first one counts.

export interface Labels {
  readonly [name: string]: string
}

type Exposition =
  /** Values by the text in front of them, `name{labels}`. */
  | { readonly kind: 'samples'; readonly samples: ReadonlyMap<string, number> }
  | { readonly kind: 'malformed'; readonly line: number }

export interface SeriesName {
  readonly name: string
  readonly labels: Labels
}

/** Leaves the text in front of the values alone: a store parses it once, when the series is new to it. */
export function parseExposition(text: string): Exposition {
  const samples = new Map<string, number>()
  let line = 0
  for (const whole of text.split('\n')) {
    line++
    const sample = whole.trim()
    if (sample === '' || sample.startsWith('#')) continue
    // Neither values nor timestamps have braces, so that the last one closes the labels.
    const end = sample.lastIndexOf('}') + 1 || sample.search(/[ \t]/)
    if (end < 0) return { kind: 'malformed', line }
    const [value, ...timestamp] = sample
      .slice(end)
      .trim()
      .split(/[ \t]+/)
    const parsed = sampleValue(value ?? '')
    const series = sample.slice(0, end)
    if (parsed === undefined || timestamp.length > 1) return { kind: 'malformed', line }
    if (!samples.has(series)) samples.set(series, parsed)
  }
  return { kind: 'samples', samples }
}

/** Name and labels of `name{labels}`; undefined where it is malformed. */
export function seriesName(series: string): SeriesName | undefined {
  const [, name, inBraces] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]*(?:\{(.*)\})?$/s.exec(series) ?? []
  if (name === undefined) return undefined
  const labels: Record<string, string> = {}
  const label = /[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\\n]|\\.)*)"[ \t]*(,|$)/y
  const text = (inBraces ?? '').trim()
  while (label.lastIndex < text.length) {
    const [, key, value] = label.exec(text) ?? []
    if (key === undefined || value === undefined) return undefined
    // An empty label is no label.
    if (value !== '')
      labels[key] = value.replace(/\\(["\\n])/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped))
  }
  return { name, labels }
}

function sampleValue(text: string): number | undefined {
  switch (text) {
    case 'NaN':
      return Number.NaN
    case '+Inf':
      return Number.POSITIVE_INFINITY
    case '-Inf':
      return Number.NEGATIVE_INFINITY
    default: {
      const value = Number(text)
      return text === '' || Number.isNaN(value) ? undefined : value
    }
  }
}
