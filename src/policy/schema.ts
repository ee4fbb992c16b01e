// The shape of policy documents: what may be written, its units, defaults and limits. The loader, the JSON Schema
// for editors and the test that docs/POLICY.md is complete all read this one definition.
import * as z from 'zod'
import {
  acceleratorName,
  coefficient,
  count,
  duration,
  labelName,
  listOf,
  mapping,
  moneyPerHour,
  name,
  objectName,
  share,
  someOf,
  text,
  tokens,
} from './fields.ts'
import { patternMistake } from './podPattern.ts'
import { calendarFields } from './scheduleFields.ts'

const apiVersion = 'mixscaler.dev/v1alpha1'
export const kinds = ['ScalingPolicy', 'Fleet'] as const
const gatewayKinds = ['inferenceGateway', 'productionStack', 'dynamo', 'kserve'] as const

const hourSeconds = 3600
const daySeconds = 24 * hourSeconds
/** For what a mapping must have: asked although fields of it have errors, so that all are reported at once. */
const ofAnyMapping = ({ value }: { readonly value: unknown }) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const version = z.literal(apiVersion, { error: `must be ${apiVersion}` }).describe('Version of this format.')

const latencyBound = z
  .record(
    z.string().regex(/^p([5-8]\d|9\d(\.\d)?)$/, {
      error: 'must be a percentile from p50 to p99.9, such as p95',
    }),
    duration({ above: 0, max: hourSeconds }),
    { error: 'must be a percentile and its bound, such as { p95: 1s }' },
  )
  .refine((bounds) => Object.keys(bounds).length === 1, { error: 'must state exactly one percentile' })
  .transform((bounds) => {
    const [percentile = '', seconds = 0] = Object.entries(bounds)[0] ?? []
    return { percentile: Number((Number(percentile.slice(1)) / 100).toPrecision(4)), seconds }
  })

const serviceLevelObjective = mapping({
  ttft: latencyBound.optional().describe('Time to first token: a percentile and its bound.'),
  itl: latencyBound.optional().describe('Inter-token latency, of each token.'),
  tpot: latencyBound.optional().describe('Time per output token: the mean gap of one request.'),
})
  .refine((slo) => Object.keys(slo).length > 0, {
    error: 'must bound at least one of ttft, itl, tpot',
    when: ofAnyMapping,
  })
  .describe('Latency bounds of interactive traffic.')

const demand = mapping({
  requestsPerSecond: text().optional().describe('PromQL: requests per second that arrive.'),
  backlogTokens: text()
    .optional()
    .describe('PromQL: output tokens that wait; latency-tolerant classes only.'),
  gateway: z
    .enum(gatewayKinds, { error: `must be one of ${gatewayKinds.join(', ')}` })
    .optional()
    .describe('A gateway whose metrics Prometheus scrapes: demand that exists at zero replicas too.'),
  match: z
    .record(labelName(), text(), { error: 'must be labels and their values, such as { priority: "10" }' })
    .optional()
    .describe("Labels of the gateway's series that tell this class from others."),
  namespace: name().optional().describe("Where the gateway runs; default the policy's namespace."),
})
  .refine(
    ({ requestsPerSecond, backlogTokens, gateway }) =>
      requestsPerSecond !== undefined || backlogTokens !== undefined || gateway !== undefined,
    {
      error: 'must have at least one of requestsPerSecond, backlogTokens, gateway',
      when: ofAnyMapping,
    },
  )
  .refine(
    ({ requestsPerSecond, backlogTokens, gateway }) =>
      gateway === undefined || (requestsPerSecond === undefined && backlogTokens === undefined),
    { error: 'must have either a gateway or queries, not both', when: ofAnyMapping },
  )
  .refine(
    ({ gateway, match, namespace }) =>
      gateway !== undefined || (match === undefined && namespace === undefined),
    { error: 'must have a gateway where it has match or namespace', when: ofAnyMapping },
  )
  .describe('Where demand is read; absent: at the engines.')

const trafficClass = mapping({
  name: name().describe('Name in metrics and messages.'),
  priority: count({ min: 0, max: 1000 })
    .optional()
    .describe('0 is served first; default 0, for latency-tolerant classes 10.'),
  slo: serviceLevelObjective.optional(),
  latencyTolerant: mapping({
    completeWithin: duration({ above: 0, max: 30 * daySeconds }).describe('Deadline, counted from arrival.'),
  })
    .optional()
    .describe('Work that may wait until its deadline.'),
  demand: demand.optional(),
  assumedShape: mapping({
    promptTokens: tokens().prefault(1000).describe('Mean prompt tokens per request.'),
    outputTokens: tokens().prefault(200).describe('Mean output tokens per request.'),
  })
    .prefault({})
    .describe('Lengths assumed until some were observed.'),
}).refine((stated) => 'slo' in stated !== 'latencyTolerant' in stated, {
  error: 'must have exactly one of slo and latencyTolerant',
  when: ofAnyMapping,
})

const pods = z
  .union(
    [
      z.literal('owner'),
      mapping({
        label: labelName().describe('A label on the series.'),
        value: text().describe('Its value.'),
      }),
      mapping({
        pattern: text()
          .superRefine((pattern, context) => {
            const mistake = patternMistake(pattern)
            if (mistake !== undefined) context.addIssue({ code: 'custom', message: mistake, continue: true })
          })
          .describe("RE2 on the pod's name, anchored at both ends."),
      }),
    ],
    { error: 'must be owner, { label, value } or { pattern }' },
  )
  .prefault('owner')
  .describe("How the variant's pods are recognised in the metrics.")

const inlineProfile = mapping({
  source: text().optional().describe('Who measured it.'),
  a: coefficient().gt(0, { error: 'must be greater than 0' }).describe('ms: a decode step, however small.'),
  b: coefficient().describe('ms per running sequence.'),
  c: coefficient().describe('ms per token in the KV cache.'),
  ap: coefficient().optional().describe('ms: a step that carries prefill; default a.'),
  bp: coefficient().optional().describe('ms per prompt token; default b.'),
  d2: coefficient().prefault(0).describe('ms per squared prompt token.'),
  g: coefficient().prefault(0).describe('ms per running sequence in a step that carries prefill.'),
  h: coefficient().prefault(0).describe("ms that the site adds to the client's TTFT."),
  mixtureOfExperts: mapping({
    x: coefficient().describe('ms to touch all experts.'),
    kappa: coefficient()
      .max(1, { error: 'must be at most 1' })
      .describe('Share of experts one token touches.'),
  }).optional(),
  kvTokens: tokens().optional().describe('KV cache of one replica, tokens.'),
})

const variant = mapping({
  name: name().describe('Name in metrics, messages and the ScaledObject.'),
  role: z
    .enum(['unified', 'prefill', 'decode'], { error: 'must be unified, prefill or decode' })
    .prefault('unified')
    .describe('What its replicas do.'),
  scaleTarget: mapping({
    apiVersion: text().prefault('apps/v1'),
    kind: text().prefault('Deployment'),
    name: objectName(),
  }).describe('The workload whose replicas are scaled.'),
  pods,
  accelerator: mapping({
    type: acceleratorName().describe('GPU type.'),
    count: count({ min: 1, max: 4096 })
      .prefault(1)
      .describe('GPUs of one replica; for a LeaderWorkerSet of the whole group.'),
  }),
  pool: acceleratorName().optional().describe('Pool of its GPUs; default the accelerator type.'),
  cost: moneyPerHour().optional().describe("Per replica and hour; default the fleet's price x GPUs."),
  replicas: mapping({
    min: count({ min: 0, max: 10_000 }).prefault(1),
    max: count({ min: 0, max: 10_000 }),
  }),
  startup: duration({ min: 0, max: daySeconds })
    .prefault('3m')
    .describe('From ordering a replica to its being ready.'),
  engine: mapping({
    apiServers: count({ min: 1, max: 128 }).optional().describe('vLLM --api-server-count; default 1.'),
    maxNumSeqs: count({ min: 1, max: 100_000 }).optional().describe('vLLM --max-num-seqs.'),
    maxNumBatchedTokens: tokens({ min: 1, max: 10_000_000 })
      .optional()
      .describe('vLLM --max-num-batched-tokens.'),
    kvTokens: tokens().optional().describe('KV cache of one replica, tokens.'),
  })
    .prefault({})
    .describe('What the engine was started with; default: read from the metrics.'),
  profile: z
    .union([text(), inlineProfile], { error: 'must be the name of a profile or a mapping of coefficients' })
    .optional()
    .describe('Iteration-time coefficients; default: looked up by model, GPU type and count.'),
  transferGroup: name().optional().describe('Prefill and decode variants that can hand KV to each other.'),
  classes: someOf(name()).optional().describe('Classes it may serve; default all.'),
  maxShare: share({ above: 0, max: 1 }).prefault(1).describe("At most this share of a class's traffic."),
  minShare: share({ min: 0, max: 1 }).prefault(0).describe("At least this share of each class's traffic."),
})

const switched = () => z.enum(['on', 'off'], { error: 'must be on or off' }).optional()

const behaviorFields = {
  forecastQuantile: share({ min: 0.5, max: 0.99 })
    .optional()
    .describe(
      'Chance that no more arrives by the time a new replica is ready; default: the longer that takes, the higher.',
    ),
  headroom: share({ min: 0, max: 4 })
    .optional()
    .describe('Added to demand before sizing, to begin with; default 0%.'),
  attainment: share({ min: 0.5, max: 0.999 })
    .optional()
    .describe('Share of requests that shall keep their SLO; default 99%.'),
  learn: mapping({
    headroom: switched().describe('From requests that broke their SLO; default on.'),
    speed: switched().describe('From measured latencies, beside the profile; default on.'),
  })
    .optional()
    .describe('What is corrected by measurement.'),
  scaleDown: mapping({
    hold: duration({ min: 0, max: 6 * hourSeconds })
      .optional()
      .describe('The plan is made for the highest demand of this window; default 2m.'),
  }).optional(),
  stepLimits: mapping({
    up: count({ min: 1, max: 10_000 }).optional(),
    down: count({ min: 1, max: 10_000 }).optional(),
  })
    .optional()
    .describe('Replicas that one decision may add or remove; default any number.'),
  survive: mapping({ replicas: count({ min: 0, max: 1000 }) })
    .optional()
    .describe('Carry the load after losing this many replicas of any one variant; default 0.'),
  hpaTolerance: share({ min: 0, max: 0.99 })
    .optional()
    .describe("The HPA's dead band in force; default 10%, 0 where every HPA has tolerance: 0."),
  holdBand: share({ min: 0, max: 0.5 })
    .optional()
    .describe(
      'A change that saves less than this share of the cost is not made, until fewer replicas have sufficed for a quarter of an hour; default 5%.',
    ),
  stalenessBudget: duration({ above: 0, max: daySeconds })
    .optional()
    .describe('How long the last decision stands without data; default 2m.'),
  budget: moneyPerHour().optional().describe('Most that the policy may cost per hour; default no limit.'),
  sloMargin: share({ above: 0, max: 1 })
    .optional()
    .describe('Sizing aims at this share of the SLO; default 95%.'),
  maxLoad: share({ above: 0, max: 1 })
    .optional()
    .describe('No replica is planned above this share of its saturation rate; default 90%.'),
  zero: mapping({
    after: duration({ min: 60, max: 30 * daySeconds })
      .optional()
      .describe('The last replica goes once no demand has been proven for this long; default 10m.'),
    startWithin: duration({ above: 0, max: daySeconds })
      .optional()
      .describe('From zero start only variants that are ready within this, where there are any.'),
  })
    .optional()
    .describe('To zero and from zero; for variants whose min is 0.'),
}

const behavior = mapping(behaviorFields)
const policyBehavior = mapping({ ...behaviorFields, ...calendarFields })

const pool = mapping({
  name: acceleratorName().describe('Name; an accelerator type is the pool of its variants by default.'),
  gpus: count({ min: 0, max: 10_000_000 })
    .optional()
    .describe('GPUs there are; default: discovered from nodes, else unlimited.'),
})

export const policyDocument = mapping({
  apiVersion: version,
  kind: z.literal('ScalingPolicy', { error: `must be ${kinds.join(' or ')}` }),
  metadata: mapping({ name: name(), namespace: name() }),
  spec: mapping({
    model: text().describe('The model, as people name it.'),
    servedNames: someOf(text())
      .optional()
      .describe('Values of model_name under which engines report it; default [model].'),
    classes: someOf(trafficClass).describe('Traffic, by its service level.'),
    variants: someOf(variant).describe('Workloads that serve the model.'),
    pools: listOf(pool).prefault([]).describe("GPUs to be shared; a fleet's pools count too."),
    behavior: policyBehavior.prefault({}).describe("How targets move; default the fleet's."),
  }),
}).describe('How one model is scaled.')

export const fleetDocument = mapping({
  apiVersion: version,
  kind: z.literal('Fleet', { error: `must be ${kinds.join(' or ')}` }),
  metadata: mapping({ name: name() }),
  spec: mapping({
    pools: listOf(pool).prefault([]).describe('GPUs shared by variants of all policies.'),
    prices: z
      .record(acceleratorName(), moneyPerHour(), {
        error: 'must be prices by accelerator type, such as { h100: $3.10/h }',
      })
      .prefault({})
      .describe('Per GPU and hour, by accelerator type.'),
    access: listOf(
      mapping({
        policy: text().describe('namespace/name of the policy.'),
        namespaces: someOf(name()).describe('Namespaces whose ScaledObjects may ask for it too.'),
      }),
    )
      .prefault([])
      .describe("Namespaces that may use a policy, beyond the policy's own."),
    defaults: mapping({ behavior: behavior.prefault({}) })
      .prefault({})
      .describe('For policies that do not say otherwise.'),
  }),
}).describe('What the policies of a fleet share.')

export type StatedPolicy = z.output<typeof policyDocument>
export type StatedFleet = z.output<typeof fleetDocument>
export type StatedClass = StatedPolicy['spec']['classes'][number]
export type StatedVariant = StatedPolicy['spec']['variants'][number]
export type StatedBehavior = z.output<typeof behavior>

/** For editors: https://json-schema.org, draft 2020-12. */
export function jsonSchema(): object {
  const documents = z.union([policyDocument, fleetDocument])
  return { title: 'Mixscaler policy', ...z.toJSONSchema(documents, { io: 'input' }) }
}
