// What sizing loses by reading lengths from vLLM's histograms: capacity from 12 points of the buckets against capacity from
// the requests themselves, beside points that are spread evenly inside each bucket, as PromQL's quantiles are.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readTrace } from '../src/backtest/traffic/readTrace.ts'
import { capacityOf } from '../src/core/capacity/capacity.ts'
import type { CapacityQuestion, LengthBin } from '../src/core/capacity/question.ts'
import { lengthBins } from '../src/core/capacity/shape.ts'
import { type Histogram, quantile } from '../src/core/histogram.ts'
import type { Profile } from '../src/core/profile.ts'
import { table } from '../src/report/table.ts'
import { oneTwoFive } from '../src/simulation/metrics.ts'
import { Random } from '../src/simulation/random.ts'

const help = `Usage: npx node bench/lengths.ts [--data DIR] [--draws N]

  --data DIR  with AzureLLMInferenceTrace_{conv,code}.csv: 1,500 requests at a time
  --draws N   of each made distribution, 5,000 requests each
`
const { values } = parseArgs({
  options: { data: { type: 'string' }, draws: { type: 'string', default: '40' }, help: { type: 'boolean' } },
})

type Points = (lengths: readonly number[]) => readonly LengthBin[]

interface Sample {
  readonly promptTokens: readonly number[]
  readonly outputTokens: readonly number[]
}

/** An 8B model on H100, with its cache whole and with a third of it. */
const profile: Profile = {
  ...{ name: 'llama-3.1-8b on an H100', source: 'docs/BENCHMARKS.md', quality: 'good' },
  ...{ a: 6.58, b: 0.0193, c: 5.46e-5, ap: 6.58, bp: 0.0193, d2: 0, g: 0, h: 0 },
}
const kvTokens = [400_000, 120_000]
const upperBounds = oneTwoFive(131_072)

function histogramOf(lengths: readonly number[]): Histogram {
  const perSecond = new Array<number>(upperBounds.length + 1).fill(0)
  for (const length of lengths) {
    const found = upperBounds.findIndex((bound) => length <= bound)
    const bucket = found < 0 ? upperBounds.length : found
    perSecond[bucket] = (perSecond[bucket] ?? 0) + 1
  }
  return { upperBounds, perSecond, sumPerSecond: lengths.reduce((sum, length) => sum + length, 0) }
}

/** A hundred parts of the sorted lengths, each as its mean. */
const themselves: Points = (lengths) => {
  const sorted = lengths.toSorted((x, y) => x - y)
  return parts(100, (from, to) => {
    const part = sorted.slice(Math.round(from * sorted.length), Math.round(to * sorted.length))
    return part.reduce((sum, length) => sum + length, 0) / part.length
  })
}

const smooth: Points = (lengths) => lengthBins(histogramOf(lengths), 12)

const even: Points = (lengths) => {
  const histogram = histogramOf(lengths)
  const points = parts(1000, (from, to) => quantile(histogram, (from + to) / 2) ?? 1)
  const mean = points.reduce((sum, { tokens, weight }) => sum + tokens * weight, 0)
  const scale = histogram.sumPerSecond / lengths.length / mean
  return points.map(({ tokens, weight }) => ({ tokens: Math.max(1, tokens * scale), weight }))
}

function parts(count: number, tokens: (from: number, to: number) => number): readonly LengthBin[] {
  return Array.from({ length: count }, (_, i) => ({
    tokens: tokens(i / count, (i + 1) / count),
    weight: 1 / count,
  }))
}

/** Requests per second of one of sixteen replicas; undefined where none meets the SLO. */
function rate({ promptTokens, outputTokens }: Sample, points: Points, kv: number): number | undefined {
  const question: CapacityQuestion = {
    role: 'unified',
    profile,
    limits: { maxNumSeqs: 256, maxNumBatchedTokens: 8192, kvTokens: kv },
    shape: { promptTokens: points(promptTokens), outputTokens: points(outputTokens), prefixHitRate: 0 },
    goal: {
      kind: 'interactive',
      ttft: { seconds: 2, percentile: 0.95 },
      tpot: { seconds: 0.05, percentile: 0.95 },
    },
    ...{ replicas: 16, dispersion: 1, sloMargin: 0.95, maxLoad: 0.9 },
  }
  const capacity = capacityOf(question)
  return capacity.kind === 'feasible' ? capacity.requestsPerSecond : undefined
}

function recorded(data: string, name: string): readonly Sample[] {
  const file = `AzureLLMInferenceTrace_${name}.csv`
  const requests = [...readTrace(file, [readFileSync(join(data, file))])]
  return Array.from({ length: Math.floor(requests.length / 1500) }, (_, i) => {
    const some = requests.slice(1500 * i, 1500 * (i + 1))
    return {
      promptTokens: some.map(({ promptTokens }) => Math.max(1, promptTokens)),
      outputTokens: some.map(({ outputTokens }) => Math.max(1, outputTokens)),
    }
  })
}

/** Means of 90 to 3,000 prompt and 20 to 1,100 answer tokens, of any spread that is seen. */
function made(stream: number, draws: number, draw: (random: Random, mean: number, sigma: number) => number) {
  const random = new Random(1, stream)
  return Array.from({ length: draws }, (): Sample => {
    const lengths = (lowest: number, decadesWide: number, most: number): readonly number[] => {
      const mean = lowest * Math.exp(decadesWide * random.uniform())
      const sigma = 0.3 + random.uniform()
      return Array.from({ length: 5000 }, () =>
        Math.min(most, Math.max(1, Math.round(draw(random, mean, sigma)))),
      )
    }
    return { promptTokens: lengths(90, 3.5, 100_000), outputTokens: lengths(20, 4, 20_000) }
  })
}

function row(name: string, samples: readonly Sample[]): readonly string[] {
  const errors = (points: Points): readonly number[] =>
    samples.flatMap((sample) =>
      kvTokens.flatMap((kv) => {
        const [read, true_] = [rate(sample, points, kv), rate(sample, themselves, kv)]
        return read === undefined || true_ === undefined ? [] : [read / true_ - 1]
      }),
    )
  const text = (all: readonly number[]): string => {
    const mean = all.reduce((sum, error) => sum + error, 0) / all.length
    const rms = Math.sqrt(all.reduce((sum, error) => sum + error ** 2, 0) / all.length)
    return `${percent(mean)} ${percent(rms)} ${percent(Math.min(...all))}..${percent(Math.max(...all))}`
  }
  return [name, String(samples.length), text(errors(smooth)), text(errors(even))]
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

if (values.help === true) process.stdout.write(help)
else {
  const draws = Number(values.draws)
  const rows = [
    ...(values.data === undefined
      ? []
      : ['conv', 'code'].map((name) => row(`Azure ${name}`, recorded(values.data ?? '', name)))),
    row(
      'lognormal',
      made(1, draws, (random, mean, sigma) => random.lognormal(mean * Math.exp(-(sigma ** 2) / 2), sigma)),
    ),
    row(
      'exponential',
      made(2, draws, (random, mean) => random.exponential(mean)),
    ),
    row(
      'gamma',
      made(3, draws, (random, mean, sigma) => mean * random.gamma(sigma ** -2) * sigma ** 2),
    ),
  ]
  const heads = ['lengths', 'samples', 'smooth: mean, rms, range', 'even inside buckets'].map((title, i) => ({
    title,
    align: i === 1 ? ('right' as const) : ('left' as const),
  }))
  process.stdout.write(
    `${['capacity from the buckets over that from the requests, less 1', ...table(heads, rows, 120)].join('\n')}\n`,
  )
}
