import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Publication, TargetAnswer } from '../../src/core/publication.ts'
import { getMetricSpec, getMetrics, isActive } from '../../src/grpc/answers.ts'
import type { ScaledObjectRef } from '../../src/grpc/protocol.ts'

const limits = { maxMetadataKeys: 8, maxMetadataBytes: 400 }

const always = (target: TargetAnswer): Publication => ({
  target: () => target,
  subscribe: () => () => undefined,
})

const ref = (scalerMetadata: Record<string, string>, namespace = 'chat'): ScaledObjectRef => ({
  name: 'so',
  namespace,
  scalerMetadata,
})

const good = ref({ policy: 'llama', variant: 'h100' })
const target = (replicas: number): Publication => always({ kind: 'target', replicas, at: 1_700_000_000 })

const refusalText = (metadata: Record<string, string>, namespace?: string): string => {
  const answer = getMetricSpec(ref(metadata, namespace), limits)
  if (answer.kind !== 'refusal') throw new Error('not refused')
  expect(answer.code).toBe('INVALID_ARGUMENT')
  return answer.text
}

describe('metadata', () => {
  it('must name both the policy and the variant, and all that is missing is said at once', () => {
    expect(refusalText({})).toBe('scalerMetadata.policy is missing; scalerMetadata.variant is missing')
    expect(refusalText({ policy: 'llama' })).toBe('scalerMetadata.variant is missing')
    expect(refusalText({ policy: 'llama', variant: 'h100' }, '')).toBe('namespace is missing')
  })

  it('may name a policy of another namespace, but a variant never', () => {
    expect(getMetricSpec(ref({ policy: 'team-a/llama', variant: 'h100' }), limits).kind).toBe('answer')
    expect(refusalText({ policy: 'a/b/c', variant: 'h100' })).toContain(
      'scalerMetadata.policy must be a name',
    )
    expect(refusalText({ policy: 'llama', variant: 'a/h100' })).toContain(
      'scalerMetadata.variant must be a name',
    )
  })

  it('is bounded in keys and in bytes', () => {
    const many = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`key${i}`, '']))
    expect(refusalText(many)).toBe('scalerMetadata has 9 keys: at most 8 are allowed')
    expect(refusalText({ é: 'é'.repeat(200) })).toBe('scalerMetadata has 402 bytes: at most 400 are allowed')
  })

  it('is never repeated in a message, whatever it holds', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 4, maxLength: 100 }), (value) => {
        fc.pre(!/^([a-zA-Z0-9][-._a-zA-Z0-9]*\/)?[a-zA-Z0-9][-._a-zA-Z0-9]*$/.test(value))
        expect(refusalText({ policy: value, variant: 'h100' })).toBe(
          refusalText({ policy: '!', variant: 'h100' }),
        )
      }),
    )
  })

  it('does not reach into prototypes', () => {
    expect(refusalText(JSON.parse('{"__proto__":"x","constructor":"y"}'))).toContain('policy is missing')
  })
})

describe('IsActive', () => {
  it('is exactly "GetMetrics is positive"', () => {
    fc.assert(
      fc.property(fc.nat(), (count) => {
        const metrics = getMetrics({ scaledObjectRef: good, metricName: '' }, target(count), limits)
        const active = isActive(good, target(count), limits)
        expect(active).toEqual({ kind: 'answer', value: { result: count > 0 } })
        expect(metrics).toMatchObject({
          kind: 'answer',
          value: { metricValues: [{ metricValue: count, metricValueFloat: count }] },
        })
      }),
    )
  })

  it('is refused in the same words as GetMetrics', () => {
    const cases: TargetAnswer[] = [
      { kind: 'unknown' },
      { kind: 'unavailable', why: 'nothing has been decided yet' },
      { kind: 'target', replicas: Number.NaN, at: 0 },
      { kind: 'target', replicas: Number.POSITIVE_INFINITY, at: 0 },
      { kind: 'target', replicas: -1, at: 0 },
      { kind: 'target', replicas: 2.5, at: 0 },
    ]
    for (const unusable of cases) {
      const metrics = getMetrics({ scaledObjectRef: good, metricName: '' }, always(unusable), limits)
      expect(metrics.kind).toBe('refusal')
      expect(isActive(good, always(unusable), limits)).toEqual(metrics)
    }
  })
})

describe('the text of a refusal', () => {
  const told = (why: string): string => {
    const answer = isActive(good, always({ kind: 'unavailable', why }), limits)
    if (answer.kind !== 'refusal') throw new Error('not refused')
    expect(answer.detail).toBe(why)
    return answer.text
  }

  it('tells a reason written for people', () => {
    for (const why of [
      'nothing has been decided yet',
      'the last decision is 95 s old: the policy allows 60 s',
      'no target: Prometheus does not answer',
    ]) {
      expect(told(why)).toBe(why)
    }
  })

  it('withholds addresses, queries, tokens in headers and stack traces, which the log has', () => {
    for (const why of [
      'connect ECONNREFUSED http://prometheus.monitoring:9090/api/v1/query',
      'connect ECONNREFUSED 10.0.0.7',
      'cannot reach prometheus:9090',
      'sum(rate(vllm:request_success_total[1m])) gave nothing',
      'no series {model="llama"}',
      'Error: boom\n    at decide (decide.ts:1:1)',
      'Authorization=Bearer abc',
      'x'.repeat(201),
      '',
    ]) {
      expect(told(why)).toBe('no current target: the scaler logs why')
    }
  })
})
