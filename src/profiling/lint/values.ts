// Values that cannot be what their column says: impossible ones, other units, the same key twice, columns swapped.
import { gapOf, type ProfileData, type Run, setupKey } from '../../core/profiles/measurement.ts'
import { type Finding, figure, groupBy, origins } from './finding.ts'

/** Milliseconds between which the times of every engine lie that is worth serving from. */
const shortestGapMs = 0.5
const longestGapMs = 5000
const shortestTtftMs = 1

export function valueFindings(data: ProfileData): readonly Finding[] {
  return [...impossible(data), ...units(data), ...swapped(data.runs), ...duplicates(data)]
}

function impossible({ runs, prefill, decode, laws }: ProfileData): readonly Finding[] {
  const wrongMean = runs.filter(({ ttftMs }) => ttftMs !== undefined && !(ttftMs > 0))
  const corrected = wrongMean.filter(({ ttftMedianMs }) => ttftMedianMs !== undefined && ttftMedianMs > 0)
  const rest = runs.filter(
    (run) =>
      [run.itlMs, run.e2eMs, run.achievedPerSecond].some((each) => each !== undefined && !(each > 0)) ||
      (run.e2eMs !== undefined && run.ttftMs !== undefined && run.ttftMs > 0 && run.e2eMs < run.ttftMs) ||
      (wrongMean.includes(run) && !corrected.includes(run)),
  )
  const points = [
    ...prefill.filter(({ ttftMs, promptTokens }) => !(ttftMs > 0 && promptTokens > 0)),
    ...decode.filter(({ itlMs, contextTokens }) => !(itlMs > 0 && contextTokens > 0)),
  ]
  const negative = laws.filter(
    ({ law: { a, b, c, ap, bp, d2, g, h } }) => !(a > 0) || Math.min(b, c, ap, bp, d2, g, h) < 0,
  )
  const findings: Finding[] = []
  if (corrected.length > 0)
    findings.push({
      defect: 'impossible',
      text: `mean TTFT is ${figure(corrected[0]?.ttftMs ?? 0)} ms, which no clock shows: the median is used`,
      rows: origins(corrected),
      use: 'corrected',
    })
  if (rest.length + points.length > 0)
    findings.push({
      defect: 'impossible',
      text: 'a time or rate is not above 0, or a request ends before its first token',
      rows: [...origins(rest), ...origins(points)],
      use: 'dropped',
    })
  if (negative.length > 0)
    findings.push({
      defect: 'impossible',
      text: 'a coefficient is negative, or a step without work takes no time',
      rows: negative.map(({ origin }) => origin),
      use: 'dropped',
    })
  return findings
}

function units({ runs, prefill, decode }: ProfileData): readonly Finding[] {
  const seconds = [
    ...runs.filter(({ itlMs, ttftMs }) => below(itlMs, shortestGapMs) || below(ttftMs, shortestTtftMs)),
    ...prefill.filter(({ ttftMs }) => below(ttftMs, shortestTtftMs)),
    ...decode.filter(({ itlMs }) => below(itlMs, shortestGapMs)),
  ]
  const known = new Set(seconds.map(({ origin }) => origin))
  const microseconds = [
    ...runs.filter(({ itlMs }) => itlMs !== undefined && itlMs > longestGapMs),
    ...decode.filter(({ itlMs }) => itlMs > longestGapMs),
  ]
  const mixed = runs.filter((run) => !known.has(run.origin) && !microseconds.includes(run) && mixesUnits(run))
  const findings: Finding[] = []
  const report = (rows: readonly (typeof seconds)[number][], text: string): void => {
    if (rows.length > 0) findings.push({ defect: 'units', text, rows: origins(rows), use: 'dropped' })
  }
  report(
    seconds,
    `a gap between tokens below ${shortestGapMs} ms, or a TTFT below ${shortestTtftMs} ms: these look like seconds where milliseconds are stated`,
  )
  report(
    microseconds,
    `a gap between tokens above ${longestGapMs} ms: this looks like microseconds where milliseconds are stated`,
  )
  report(
    mixed,
    'TTFT, gap between tokens and whole duration do not fit together by a factor of 50 and more: one of them is in another unit',
  )
  return findings
}

function below(value: number | undefined, bound: number): boolean {
  return value !== undefined && value > 0 && value < bound
}

function mixesUnits({ ttftMs, itlMs, e2eMs, outputTokens }: Run): boolean {
  if (itlMs === undefined || !(itlMs > 0)) return false
  // The first token takes a step of its own.
  if (below(ttftMs, itlMs / 4)) return true
  if (e2eMs === undefined || ttftMs === undefined || !(ttftMs > 0)) return false
  const ratio = e2eMs / (ttftMs + itlMs * Math.max(1, outputTokens.mean - 1))
  return ratio > 50 || ratio < 1 / 50
}

/**
 * A prompt token costs far less than an output token: of two requests, one with the longer prompt and one with the
 * longer answer, the first token of the one and the end of the other come later. Where it is the other way round
 * throughout, prompt and output lengths were taken for each other.
 */
function swapped(runs: readonly Run[]): readonly Finding[] {
  return groupBy(runs, ({ setup }) => setupKey(setup)).flatMap((group): readonly Finding[] => {
    let right = 0
    let wrong = 0
    for (const longPrompt of group) {
      for (const longAnswer of group) {
        const verdict = orientation(longPrompt, longAnswer)
        if (verdict === 'right') right++
        if (verdict === 'wrong') wrong++
      }
    }
    if (wrong < 2 || right > 0) return []
    const text =
      `in ${wrong} of ${wrong} comparisons the longer answers behave like longer prompts: ` +
      'rows and columns, or the columns of prompt and output tokens, are swapped'
    return [{ defect: 'swapped', text, rows: origins(group), use: 'dropped' }]
  })
}

function orientation(longPrompt: Run, longAnswer: Run): 'right' | 'wrong' | 'open' {
  const prompts = longPrompt.promptTokens.mean / longAnswer.promptTokens.mean
  const answers = longAnswer.outputTokens.mean / longPrompt.outputTokens.mean
  if (prompts < 2 || answers < 2) return 'open'
  const compared = (later: number, earlier: number): 'right' | 'wrong' | 'open' =>
    later > 1.5 * earlier ? 'right' : earlier > 1.5 * later ? 'wrong' : 'open'
  if (longPrompt.ttftMs !== undefined && longAnswer.ttftMs !== undefined)
    return JSON.stringify(longPrompt.load) === JSON.stringify(longAnswer.load)
      ? compared(longPrompt.ttftMs, longAnswer.ttftMs)
      : 'open'
  // Whole requests only where the two mirror each other: then they hold the same number of tokens.
  const mirrored =
    longPrompt.promptTokens.mean === longAnswer.outputTokens.mean &&
    longPrompt.outputTokens.mean === longAnswer.promptTokens.mean
  if (!mirrored || longPrompt.e2eMs === undefined || longAnswer.e2eMs === undefined) return 'open'
  return compared(longAnswer.e2eMs, longPrompt.e2eMs)
}

function duplicates({ runs, prefill, decode }: ProfileData): readonly Finding[] {
  const keyed = [
    ...runs.map((run) => ({
      row: run,
      key: ['run', setupKey(run.setup), run.load, run.promptTokens, run.outputTokens],
      value: gapOf(run) ?? run.e2eMs ?? 0,
    })),
    ...prefill.map((row) => ({
      row,
      key: ['prefill', setupKey(row.setup), row.promptTokens],
      value: row.ttftMs,
    })),
    ...decode.map((row) => ({
      row,
      key: ['decode', setupKey(row.setup), row.contextTokens, row.sequences],
      value: row.itlMs,
    })),
  ]
  const repeats = groupBy(keyed, ({ key }) => JSON.stringify(key)).filter(({ length }) => length > 1)
  const agree = repeats.filter(([first, ...others]) =>
    others.every(({ value }) => Math.abs(value / first.value - 1) <= 0.02),
  )
  const differ = repeats.filter((group) => !agree.includes(group))
  return [
    { groups: agree, text: 'the same point appears again: it counts once' },
    {
      groups: differ,
      text: 'the same set-up, lengths and load appear again with other results: only the first is used, so check which is right',
    },
  ].flatMap(({ groups, text }): readonly Finding[] =>
    groups.length === 0
      ? []
      : [
          {
            defect: 'duplicate',
            text,
            rows: groups.flatMap(([, ...rest]) => origins(rest.map(({ row }) => row))),
            use: 'dropped',
          },
        ],
  )
}
