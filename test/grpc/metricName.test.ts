import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { longestMetricName, metricName } from '../../src/grpc/metricName.ts'

const allowed = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/

describe('metricName', () => {
  it('reads as the policy and the variant where they are plain names', () => {
    expect(metricName('llama-70b', 'h100-tp4')).toBe('mixscaler-llama-70b-h100-tp4')
  })

  it('keeps names apart that look alike once cleaned', () => {
    const names = ['llama.70b', 'llama_70b', 'llama/70b', 'Llama-70b', 'llama-70b'].map((policy) =>
      metricName(policy, 'h100'),
    )
    expect(new Set(names).size).toBe(names.length)
    for (const name of names) expect(name).toMatch(/^mixscaler-llama-70b-h100(-[0-9a-f]{10})?$/)
  })

  it('keeps long names apart that differ in their last letter only', () => {
    const long = 'x'.repeat(100)
    expect(metricName(`${long}a`, 'h100')).not.toBe(metricName(`${long}b`, 'h100'))
  })

  it('makes a name that KEDA and Kubernetes take, from any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (policy, variant) => {
        const name = metricName(policy, variant)
        expect(name).toMatch(allowed)
        expect(name.length).toBeLessThanOrEqual(longestMetricName)
        expect(metricName(policy, variant)).toBe(name)
      }),
    )
  })

  it('gives different variants of one policy different names', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (policy, one, other) => {
        fc.pre(one !== other)
        expect(metricName(policy, one)).not.toBe(metricName(policy, other))
      }),
    )
  })
})
