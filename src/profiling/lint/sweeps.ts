// Defects of prefill and decode sweeps: curves with a point that is not on them, and throughputs that mean
// something else than their column says.
import { median, robustLeastSquares } from '../../core/profiles/leastSquares.ts'
import { type DecodePoint, type PrefillPoint, type Setup, setupKey } from '../../core/profiles/measurement.ts'
import { type Finding, figure, groupBy, origins, setupName } from './finding.ts'

export function sweepFindings(
  prefill: readonly PrefillPoint[],
  decode: readonly DecodePoint[],
): readonly Finding[] {
  const throughputs = throughputFindings(prefill, decode)
  const polluted = new Set(
    throughputs.filter(({ defect }) => defect === 'prefillInThroughput').flatMap(({ rows }) => rows),
  )
  const saturated = groupBy(decode, ({ setup }) => setupKey(setup)).flatMap((group) =>
    decodeSaturation(group, group.some(({ origin }) => polluted.has(origin)) ? 'unusable' : 'usable'),
  )
  const queued = new Set(saturated.flatMap(({ rows }) => rows))
  const running = decode.filter(({ origin }) => !queued.has(origin))
  const beside = [
    ...groupBy(prefill, ({ setup }) => setupKey(setup)).flatMap((group) => outliers(group, prefillCurve)),
    ...groupBy(running, ({ setup }) => setupKey(setup)).flatMap((group) => outliers(group, decodeCurve)),
  ]
  const off = new Set(beside.flatMap(({ rows }) => rows))
  return [
    ...throughputs,
    ...sameKvTokens(decode),
    ...beside,
    ...saturated,
    ...groupBy(
      prefill.filter(({ origin }) => !off.has(origin)),
      ({ setup }) => setupKey(setup),
    ).flatMap((group) =>
      falls(
        group,
        ({ promptTokens }) => promptTokens,
        ({ ttftMs }) => ttftMs,
        'TTFT falls while prompts grow',
      ),
    ),
    ...groupBy(
      running.filter(({ origin }) => !off.has(origin)),
      ({ setup, contextTokens }) => JSON.stringify([setupKey(setup), contextTokens]),
    ).flatMap((group) =>
      falls(
        group,
        ({ sequences }) => sequences,
        ({ itlMs }) => itlMs,
        'ITL falls while more sequences run',
      ),
    ),
  ]
}

/** The same model, GPU and engine, at any parallelism. */
function family({ model, gpu, engine }: Setup): string {
  return JSON.stringify([model, gpu, engine])
}

interface Throughput {
  readonly row: PrefillPoint | DecodePoint
  /** Tokens per second of the whole engine over what is stated per GPU: the number of GPUs, if all is well. */
  readonly ratio: number
}

function throughputFindings(
  prefill: readonly PrefillPoint[],
  decode: readonly DecodePoint[],
): readonly Finding[] {
  const prefills = prefill.flatMap((row): readonly Throughput[] => {
    const stated = row.tokensPerSecondPerGpu
    return stated === undefined || !(stated > 0)
      ? []
      : [{ row, ratio: (1000 * row.promptTokens) / row.ttftMs / stated }]
  })
  const decodes = decode.flatMap((row): readonly Throughput[] => {
    const stated = row.tokensPerSecondPerGpu
    return stated === undefined || !(stated > 0)
      ? []
      : [{ row, ratio: (1000 * row.sequences) / row.itlMs / stated }]
  })
  return [
    ...perGpu(prefills, 'isl / TTFT', (ratios) => median(ratios)),
    // Whatever else it includes, it is never above the truth: the least ratio is the divisor.
    ...perGpu(decodes, 'sequences / ITL', (ratios) => Math.min(...ratios)),
    ...groupBy(decodes, ({ row }) => setupKey(row.setup)).flatMap(prefillIncluded),
  ]
}

function perGpu(
  throughputs: readonly Throughput[],
  truth: string,
  divisorOf: (ratios: readonly number[]) => number,
): readonly Finding[] {
  return groupBy(throughputs, ({ row }) => family(row.setup)).flatMap((related) => {
    const wrong = groupBy(related, ({ row }) => String(row.setup.tp)).flatMap((group) => {
      const divisor = divisorOf(group.map(({ ratio }) => ratio))
      return Math.abs(divisor / group[0].row.setup.tp - 1) > 0.1 ? [{ group, divisor }] : []
    })
    return groupBy(wrong, ({ divisor }) => divisor.toFixed(0)).map((alike): Finding => {
      const rows = alike.flatMap(({ group }) => group.map(({ row }) => row))
      const tps = alike.map(({ group }) => `TP${group[0].row.setup.tp}`).join(' and ')
      const divisor = median(alike.map(({ divisor: each }) => each))
      const how =
        Math.abs(divisor - 1) < 0.1
          ? 'per engine, not per GPU'
          : `divided by ${Math.round(divisor)} and not by its GPUs`
      const { model, gpu } = alike[0].group[0].row.setup
      const text = `${model} on ${gpu}, ${tps}: the stated tokens/s per GPU are ${how} (compare ${truth}); times are used, throughput is not`
      return { defect: 'perGpuThroughput', text, rows: origins(rows), use: 'kept' }
    })
  })
}

/** Of so few sequences that none waits, a throughput this far below 1 / ITL counts other time, too. */
const fewSequences = 2
const includedShare = 1.15

function prefillIncluded(group: readonly Throughput[]): readonly Finding[] {
  const divisor = Math.min(...group.map(({ ratio }) => ratio))
  const below = (share: number): readonly (PrefillPoint | DecodePoint)[] =>
    group.filter(({ ratio }) => ratio > share * divisor).map(({ row }) => row)
  const alone = below(includedShare).filter((row) => 'sequences' in row && row.sequences <= fewSequences)
  const [first] = alone
  if (first === undefined || alone.length < 3) return []
  const text =
    `${setupName(first.setup)}: the stated decode throughput falls up to ${figure(Math.max(...group.map(({ ratio }) => ratio)) / divisor)} ` +
    'times short of sequences / ITL, even for one sequence and more the longer its context: it includes prefill time; sequences / ITL is used'
  return [{ defect: 'prefillInThroughput', text, rows: origins(below(1.1)), use: 'corrected' }]
}

function sameKvTokens(decode: readonly DecodePoint[]): readonly Finding[] {
  return groupBy(decode, ({ setup }) => family(setup)).flatMap((related): readonly Finding[] => {
    const sizes = groupBy(
      related.filter(({ maxKvTokens }) => maxKvTokens !== undefined),
      ({ maxKvTokens }) => String(maxKvTokens),
    )
    return sizes.flatMap((group): readonly Finding[] => {
      const tps = [...new Set(group.map(({ setup }) => setup.tp))]
      if (tps.length < 2) return []
      const { setup, maxKvTokens } = group[0]
      const text =
        `${setup.model} on ${setup.gpu}: max_kv_tokens is ${maxKvTokens} for ${tps.map((tp) => `TP${tp}`).join(', ')} alike, ` +
        'though more GPUs leave more room beside the weights: it is not taken over'
      return [{ defect: 'sameKvTokens', text, rows: origins(group), use: 'kept' }]
    })
  })
}

interface Curve<T> {
  /** What the value is made of: each coefficient is fitted. */
  readonly terms: (point: T) => readonly number[]
  readonly value: (point: T) => number
  /** More than this share beside the curve is no noise. */
  readonly share: number
  readonly say: (point: T, expected: number) => string
}

/** A quadratic holds within 3 %. */
const prefillCurve: Curve<PrefillPoint> = {
  terms: ({ promptTokens }) => [1, promptTokens, promptTokens ** 2],
  value: ({ ttftMs }) => ttftMs,
  share: 0.15,
  say: ({ ttftMs, promptTokens }, expected) =>
    `TTFT is ${figure(ttftMs)} ms for ${promptTokens} tokens where the other points give ${figure(expected)} ms`,
}

/** Holds within 5 to 10 %, and engines take steps of up to 30 % where their kernels change. */
const decodeCurve: Curve<DecodePoint> = {
  terms: ({ sequences, contextTokens }) => [1, sequences, sequences * contextTokens],
  value: ({ itlMs }) => itlMs,
  share: 0.5,
  say: ({ itlMs, sequences, contextTokens }, expected) =>
    `ITL is ${figure(itlMs)} ms for ${figure(sequences)} sequences at context ${figure(contextTokens)} where the other points give ${figure(expected)} ms`,
}

const outlierSpreads = 5
/** Where the squares of Huber's loss end, in standard deviations: his own value. */
const huberBend = 1.345

function outliers<T extends PrefillPoint | DecodePoint>(
  points: readonly [T, ...T[]],
  { terms, value, share, say }: Curve<T>,
): readonly Finding[] {
  if (points.length < 5) return []
  const solution = robustLeastSquares(
    points.map((point) => ({ coefficients: terms(point), value: value(point), weight: 1 / value(point) })),
    huberBend,
  )
  const expected = (point: T): number =>
    terms(point).reduce((sum, term, i) => sum + term * (solution[i] ?? 0), 0)
  const misses = points.map((point) => Math.abs(value(point) / expected(point) - 1))
  const bound = Math.max(share, outlierSpreads * 1.4826 * median(misses))
  const rows = points.filter((_, i) => (misses[i] ?? 0) > bound)
  const [first] = rows
  if (first === undefined) return []
  const text = `${setupName(first.setup)}: ${say(first, expected(first))}: an outlier`
  return [{ defect: 'outlier', text, rows: origins(rows), use: 'dropped' }]
}

/** ITL that falls this much with more sequences, or throughput this much short of sequences / ITL: not all ran. */
const fallingShare = 0.05
const shortShare = 1.1

function decodeSaturation(
  group: readonly [DecodePoint, ...DecodePoint[]],
  throughput: 'usable' | 'unusable',
): readonly Finding[] {
  const rows = groupBy(group, ({ contextTokens }) => String(contextTokens)).flatMap((points) => {
    const rising = points.toSorted((one, other) => one.sequences - other.sequences)
    const from = Math.min(peak(rising), throughput === 'usable' ? short(rising) : rising.length)
    return rising.slice(from)
  })
  const [first] = rows
  if (first === undefined) return []
  const text =
    `${setupName(first.setup)}: at context ${figure(first.contextTokens)} from ${figure(first.sequences)} sequences on ITL no longer grows with them, ` +
    'or fewer tokens come out than that many would make: not all of them ran (max_num_seqs)'
  return [{ defect: 'saturated', text, rows: origins(rows), use: 'dropped' }]
}

/** Where the highest ITL before a fall stands; the length where there is none. */
function peak(rising: readonly DecodePoint[]): number {
  let highest = 0
  for (const [i, { itlMs }] of rising.entries()) {
    const top = rising[highest]?.itlMs ?? 0
    if (itlMs > top) highest = i
    // The last point alone may be noise: it takes one more that stays below.
    if (
      itlMs < (1 - fallingShare) * top &&
      i + 1 < rising.length &&
      rising.slice(i).every((later) => later.itlMs < top)
    )
      return highest
  }
  return rising.length
}

/** From where on the stated throughput falls short, at the top end only. */
function short(rising: readonly DecodePoint[]): number {
  const ratios = rising.map(({ sequences, itlMs, tokensPerSecondPerGpu }) =>
    tokensPerSecondPerGpu === undefined || !(tokensPerSecondPerGpu > 0)
      ? undefined
      : sequences / itlMs / tokensPerSecondPerGpu,
  )
  const least = Math.min(...ratios.flatMap((ratio) => ratio ?? []))
  const last = ratios.findLastIndex((ratio) => ratio === undefined || ratio <= shortShare * least)
  return last + 1
}

function falls<T extends PrefillPoint | DecodePoint>(
  points: readonly [T, ...T[]],
  along: (point: T) => number,
  value: (point: T) => number,
  what: string,
): readonly Finding[] {
  const rising = points.toSorted((one, other) => along(one) - along(other))
  const rows = rising.flatMap((point, i) => {
    const next = rising[i + 1]
    return next !== undefined && along(next) > along(point) && value(next) < 0.9 * value(point)
      ? [point, next]
      : []
  })
  if (rows.length === 0) return []
  const text = `${setupName(points[0].setup)}: ${what}: one of the rows is wrong`
  return [{ defect: 'notMonotone', text, rows: origins([...new Set(rows)]), use: 'kept' }]
}
