// What KEDA is told, as a pure function of its question and the published decision. Unknown is always a
// refusal, never 0 or false: KEDA holds on an error and scales away on a zero.
import type { Publication, TargetRef } from '../core/publication.ts'
import { metricName } from './metricName.ts'
import type {
  GetMetricSpecResponse,
  GetMetricsRequest,
  GetMetricsResponse,
  IsActiveResponse,
  ScaledObjectRef,
} from './protocol.ts'

export type RefusalCode =
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'UNAVAILABLE'
  | 'INTERNAL'

export interface Refusal {
  readonly kind: 'refusal'
  readonly code: RefusalCode
  /** For the caller. KEDA copies it into Events in the tenant's namespace: no values, addresses or queries. */
  readonly text: string
  /** For our own log, where it says more than the text. */
  readonly detail?: string
}

export type Answer<T> = { readonly kind: 'answer'; readonly value: T } | Refusal

export interface MetadataLimits {
  readonly maxMetadataKeys: number
  /** Keys and values together, in UTF-8. */
  readonly maxMetadataBytes: number
}

/** Static: needs no decision, no policy and no I/O, because KEDA up to 2.19 never repairs an HPA made without it. */
export function getMetricSpec(ref: ScaledObjectRef, limits: MetadataLimits): Answer<GetMetricSpecResponse> {
  const asked = targetRef(ref, limits)
  if (asked.kind === 'refusal') return asked
  const { policy, variant } = asked.value
  return answer({
    metricSpecs: [{ metricName: metricName(policy, variant), targetSize: 1, targetSizeFloat: 1 }],
  })
}

/** One value, since KEDA sums whatever it gets. An empty metric name asks for the only one there is. */
export function getMetrics(
  request: GetMetricsRequest,
  publication: Publication,
  limits: MetadataLimits,
): Answer<GetMetricsResponse> {
  const asked = targetRef(request.scaledObjectRef, limits)
  if (asked.kind === 'refusal') return asked
  const name = metricName(asked.value.policy, asked.value.variant)
  if (request.metricName !== '' && request.metricName.toLowerCase() !== name) {
    return refusal('NOT_FOUND', `metricName must be empty or as GetMetricSpec gives it: ${name}`)
  }
  const replicas = targetReplicas(asked.value, publication)
  if (replicas.kind === 'refusal') return replicas
  return answer({
    metricValues: [{ metricName: name, metricValue: replicas.value, metricValueFloat: replicas.value }],
  })
}

export function isActive(
  ref: ScaledObjectRef,
  publication: Publication,
  limits: MetadataLimits,
): Answer<IsActiveResponse> {
  const asked = targetRef(ref, limits)
  if (asked.kind === 'refusal') return asked
  const replicas = targetReplicas(asked.value, publication)
  if (replicas.kind === 'refusal') return replicas
  return answer({ result: replicas.value >= 1 })
}

export function refusal(code: RefusalCode, text: string, detail?: string): Refusal {
  return { kind: 'refusal', code, text, ...(detail === undefined ? {} : { detail }) }
}

function answer<T>(value: T): Answer<T> {
  return { kind: 'answer', value }
}

/** Letters, digits and `-._`, as Kubernetes names are made. A policy may carry its namespace: `team-a/llama`. */
const variantPattern = /^[a-zA-Z0-9][-._a-zA-Z0-9]{0,252}$/
const policyPattern = /^([a-zA-Z0-9][-._a-zA-Z0-9]{0,252}\/)?[a-zA-Z0-9][-._a-zA-Z0-9]{0,252}$/

/** KEDA forwards the trigger's whole metadata block, `scalerAddress` and all: other keys are none of our business. */
function targetRef(ref: ScaledObjectRef | null, limits: MetadataLimits): Answer<TargetRef> {
  if (ref === null) return refusal('INVALID_ARGUMENT', 'scaledObjectRef is missing')
  const tooMuch = metadataProblem(ref.scalerMetadata, limits)
  if (tooMuch !== undefined) return refusal('INVALID_ARGUMENT', tooMuch)
  const policy = ref.scalerMetadata['policy'] ?? ''
  const variant = ref.scalerMetadata['variant'] ?? ''
  const problems = [
    ref.namespace === '' ? 'namespace is missing' : undefined,
    nameProblem('policy', policy, policyPattern),
    nameProblem('variant', variant, variantPattern),
  ].filter((problem) => problem !== undefined)
  if (problems.length > 0) return refusal('INVALID_ARGUMENT', problems.join('; '))
  return answer({ namespace: ref.namespace, policy, variant })
}

function nameProblem(key: string, value: string, allowed: RegExp): string | undefined {
  if (value === '') return `scalerMetadata.${key} is missing`
  if (!allowed.test(value)) {
    return `scalerMetadata.${key} must be a name: a letter or digit, then up to 252 letters, digits, '-', '.' or '_'`
  }
  return undefined
}

function metadataProblem(
  metadata: ScaledObjectRef['scalerMetadata'],
  limits: MetadataLimits,
): string | undefined {
  let keys = 0
  let bytes = 0
  for (const [key, value] of Object.entries(metadata)) {
    keys += 1
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value)
  }
  if (keys > limits.maxMetadataKeys) {
    return `scalerMetadata has ${keys} keys: at most ${limits.maxMetadataKeys} are allowed`
  }
  if (bytes > limits.maxMetadataBytes) {
    return `scalerMetadata has ${bytes} bytes: at most ${limits.maxMetadataBytes} are allowed`
  }
  return undefined
}

function targetReplicas(ref: TargetRef, publication: Publication): Answer<number> {
  const target = publication.target(ref)
  switch (target.kind) {
    case 'target':
      if (Number.isSafeInteger(target.replicas) && target.replicas >= 0) return answer(target.replicas)
      return refusal('INTERNAL', 'the target is not a count', `published target ${target.replicas}`)
    case 'unavailable':
      return refusal('UNAVAILABLE', tellable(target.why), target.why)
    case 'unknown':
      // One text for "does not exist" and "not yours", so that nobody learns what others run.
      return refusal(
        'PERMISSION_DENIED',
        'no such policy and variant for this namespace: check scalerMetadata.policy and scalerMetadata.variant, and the namespaces that the policy allows',
      )
  }
}

/** URLs, addresses, PromQL (`sum(`, `{`, `[`), assignments and stack traces are for the log alone. */
const notForTenants = /:\/\/|\d+\.\d+\.\d+\.\d+|:\d|\w\(|[[\]{}<>=@\\|`]|[^\x20-\x7e]/

function tellable(why: string): string {
  if (why === '' || why.length > 200 || notForTenants.test(why))
    return 'no current target: the scaler logs why'
  return why
}
