// An observation as a file: what `record` writes, and `plan --observation` reads back. A file may come from a bug
// report or an editor, so it is checked whole, and every defect is named at once.
import { z } from 'zod'
import type { Histogram } from '../core/histogram.ts'
import type { GatewaySignals, Observation, ReplicaCounts, TypicalEngine } from '../core/observation.ts'
import type { MissingReason, Reading } from '../core/reading.ts'

type ParsedObservation =
  | { readonly kind: 'good'; readonly observation: Observation }
  /** One sentence each: where in the document, and what is wrong there. */
  | { readonly kind: 'bad'; readonly problems: readonly string[] }

export function observationJson(observation: Observation): string {
  return `${JSON.stringify(observation, null, 2)}\n`
}

export function parseObservation(text: string): ParsedObservation {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (error) {
    return { kind: 'bad', problems: [`not JSON: ${error instanceof Error ? error.message : String(error)}`] }
  }
  const parsed = observationSchema.safeParse(document)
  if (parsed.success) return { kind: 'good', observation: parsed.data }
  return {
    kind: 'bad',
    problems: parsed.error.issues.map(
      ({ path, message }) => `${path.map(String).join(' > ') || 'document'}: ${message}`,
    ),
  }
}

const reasons: Readonly<Record<MissingReason, MissingReason>> = {
  backendDown: 'backendDown',
  noSeries: 'noSeries',
  noReplicas: 'noReplicas',
  notANumber: 'notANumber',
  infinite: 'infinite',
  stale: 'stale',
  notScraped: 'notScraped',
  idle: 'idle',
  notReported: 'notReported',
}

const missingSchema = z.strictObject({ missing: z.enum(reasons), detail: z.string().exactOptional() })

function reading<T>(value: z.ZodType<T>): z.ZodType<Reading<T>> {
  return z.union([value, missingSchema])
}

const count = z.int().min(0)
const amount = z.number().min(0)

const replicaCounts: z.ZodType<ReplicaCounts> = z.strictObject({
  desired: count,
  ready: count,
  starting: count,
  terminating: count,
  startingSince: z.array(z.number()).exactOptional(),
  unschedulable: z.strictObject({ replicas: count, since: z.number(), why: z.string() }).exactOptional(),
})

const histogram: z.ZodType<Histogram> = z
  .strictObject({ upperBounds: z.array(z.number()), perSecond: z.array(amount), sumPerSecond: amount })
  .refine(({ upperBounds, perSecond }) => perSecond.length === upperBounds.length + 1, {
    message: 'perSecond must be one longer than upperBounds: its last is the +Inf bucket',
  })

const typicalEngine: z.ZodType<TypicalEngine> = z.strictObject({
  gapsPerSecond: amount,
  gapSecondsPerSecond: amount,
  firstTokensPerSecond: amount,
  ttftSecondsPerSecond: amount,
})

const shortRate = z.strictObject({ requestsPerSecond: amount, seconds: z.number().positive() })

const gateway: z.ZodType<GatewaySignals> = z.strictObject({
  passedPerSecond: amount,
  rejectedPerSecond: amount,
  queued: amount,
  queueGrowthPerSecond: z.number(),
  counted: z.enum(['some', 'none']),
  arrivingNow: reading(shortRate),
  promptTokens: reading(histogram),
  outputTokens: reading(histogram),
})

const observationSchema: z.ZodType<Observation> = z.strictObject({
  format: z.literal('mixscaler-observation/1'),
  at: z.number(),
  variants: z.record(
    z.string(),
    z.strictObject({
      replicas: reading(replicaCounts),
      reporting: reading(count),
      running: reading(amount),
      waiting: reading(amount),
      inSystemGrowthPerSecond: reading(z.number()),
      completionsPerSecond: reading(amount),
      generationTokensPerSecond: reading(amount),
      preemptionsPerSecond: reading(amount),
      promptTokens: reading(histogram),
      outputTokens: reading(histogram),
      ttft: reading(histogram),
      itl: reading(histogram),
      tpot: reading(histogram).exactOptional(),
      typicalEngine: reading(typicalEngine).exactOptional(),
      prefixHitRate: reading(amount),
      kvUsage: reading(amount),
      kvTokensPerReplica: reading(amount),
      arrivingNow: reading(shortRate).exactOptional(),
    }),
  ),
  classes: z.record(
    z.string(),
    z.strictObject({
      requestsPerSecond: reading(amount).exactOptional(),
      backlogTokens: reading(amount).exactOptional(),
      gateway: reading(gateway).exactOptional(),
    }),
  ),
  pools: z.record(z.string(), reading(amount)),
  pauses: z
    .record(
      z.string(),
      z.strictObject({ stops: z.enum(['all', 'scaleIn', 'scaleOut']), replicas: count.exactOptional() }),
    )
    .exactOptional(),
  warnings: z.array(z.string()),
})
