// What is read of ScaledObjects: who is paused, and what would keep a target from being reached.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { PolicySet } from '../../src/core/policy.ts'
import type { ScaledObject } from '../../src/kubernetes/objects.ts'
import { askedVariants, pausesOf, scaledObjectFacts } from '../../src/kubernetes/scaledObjects.ts'
import { scaledObjectWarnings } from '../../src/kubernetes/scaledObjectWarnings.ts'
import { deployment, policySet, scaledObject } from './objects.ts'

const id = 'chat/llama/h100'
const policies = policySet([{ name: 'h100', target: deployment('llama'), pool: 'h100' }])

function asked(objects: readonly ScaledObject[], set: PolicySet = policies) {
  return askedVariants(
    objects.flatMap((object) => scaledObjectFacts(object) ?? []),
    set,
  )
}

function warnings(objects: readonly ScaledObject[], set: PolicySet = policies): readonly string[] {
  return scaledObjectWarnings(asked(objects, set), set)
}

/** The good one with a change of its spec. */
function changed(spec: ScaledObject['spec']): ScaledObject {
  const good = scaledObject('llama')
  return { ...good, spec: { ...good.spec, ...spec } }
}

function withRules(rules: object): ScaledObject {
  const { scaleUp, scaleDown } =
    scaledObject('llama').spec?.advanced?.horizontalPodAutoscalerConfig?.behavior ?? {}
  const behavior = { scaleUp: { ...scaleUp, ...rules }, scaleDown: { ...scaleDown, ...rules } }
  return changed({ advanced: { horizontalPodAutoscalerConfig: { behavior } } })
}

describe('what would defeat a target', () => {
  test('nothing, in one that is as docs/KEDA.md says', () => {
    expect(warnings([scaledObject('llama')])).toEqual([])
  })

  test('nothing, in the shipped example against the policy it asks for', () => {
    const example = parse(
      readFileSync(new URL('../../deploy/examples/plaintext/scaledobject.yaml', import.meta.url), 'utf8'),
    ) as ScaledObject
    const facts = scaledObjectFacts(example)
    if (facts === undefined) throw new Error('the example asks for nothing')
    const [policy] = policySet([
      { name: 'h100-tp4', target: deployment('vllm-llama-70b'), pool: 'h100' },
    ]).policies
    if (policy === undefined) throw new Error('no policy')
    const [variant] = policy.variants
    if (variant === undefined) throw new Error('no variant')
    const shipped = {
      ...policies,
      policies: [
        {
          ...policy,
          id: 'chat/llama-70b',
          name: 'llama-70b',
          variants: [{ ...variant, id: 'chat/llama-70b/h100-tp4', replicas: { min: 1, max: 12 } }],
        },
      ],
    }
    expect(scaledObjectWarnings(askedVariants([facts], shipped), shipped)).toEqual([])
  })

  test.each<[string, ScaledObject, string]>([
    [
      'a minimum that nobody planned',
      changed({ minReplicaCount: 2 }),
      "ScaledObject chat/llama minReplicaCount 2 is above the policy's minimum of 0: KEDA keeps what nobody planned",
    ],
    [
      'a maximum below the plan',
      changed({ maxReplicaCount: 5 }),
      "ScaledObject chat/llama maxReplicaCount 5 is below the policy's maximum of 10: targets above it are cut",
    ],
    [
      'no fallback',
      changed({ fallback: undefined as never }),
      'ScaledObject chat/llama has no fallback: while the scaler fails, nothing moves',
    ],
    [
      'a fallback to zero',
      changed({ fallback: {} }),
      'ScaledObject chat/llama fallback.replicas is 0: while the scaler fails, KEDA scales to zero',
    ],
    [
      'another workload',
      changed({ scaleTargetRef: { name: 'other' } }),
      'ScaledObject chat/llama scales Deployment chat/other, the variant is Deployment chat/llama',
    ],
    [
      'a formula',
      changed({
        advanced: { ...scaledObject('llama').spec?.advanced, scalingModifiers: { formula: 'mixscaler + 1' } },
      }),
      'ScaledObject chat/llama has scalingModifiers: KEDA scales by their formula',
    ],
    [
      'a dead band that the policy does not know of',
      withRules({ tolerance: '100m' }),
      'ScaledObject chat/llama has an HPA that ignores changes within 10%, the policy says hpaTolerance 0%: set tolerance "0" in scaleUp and scaleDown, or the policy to 10%',
    ],
  ])('%s', (_, object, warning) => {
    expect(warnings([object])).toEqual([warning])
  })

  test('the HPA’s own windows, in both directions', () => {
    expect(warnings([withRules({ stabilizationWindowSeconds: 300 })])).toEqual([
      'ScaledObject chat/llama scaleDown.stabilizationWindowSeconds is 300, should be 0: the policy holds already',
      'ScaledObject chat/llama scaleUp.stabilizationWindowSeconds is 300, should be 0: growth comes late',
    ])
    expect(warnings([withRules({ selectPolicy: 'Disabled' })])).toHaveLength(2)
  })

  test('without a behavior block: the HPA’s dead band and its 300 s', () => {
    const texts = warnings([changed({ advanced: {} })]).join('\n')
    expect(texts).toMatch(/ignores changes within 10%/)
    expect(texts).toMatch(/scaleDown.stabilizationWindowSeconds is 300/)
  })

  test('the dead band below ten replicas: it swallows nothing there', () => {
    const [policy] = policies.policies
    if (policy === undefined) throw new Error('no policy')
    const small = {
      ...policies,
      policies: [
        { ...policy, variants: policy.variants.map((one) => ({ ...one, replicas: { min: 0, max: 9 } })) },
      ],
    }
    expect(warnings([withRules({ tolerance: undefined })], small)).toEqual([])
  })

  test('metricType, and triggers beside ours', () => {
    const [trigger] = scaledObject('llama').spec?.triggers ?? []
    expect(warnings([changed({ triggers: [{ ...trigger, metricType: 'Value' }, { type: 'cpu' }] })])).toEqual(
      [
        'ScaledObject chat/llama has other triggers (cpu): KEDA takes the highest proposal',
        'ScaledObject chat/llama metricType is Value, must be AverageValue: the count is multiplied by the ready pods',
      ],
    )
  })

  test('a variant that nobody asks for, twice, or that does not exist', () => {
    const two = policySet([
      { name: 'h100', target: deployment('llama'), pool: 'h100' },
      { name: 'l40s', target: deployment('cards'), pool: 'l40s' },
    ])
    expect(warnings([], two)).toEqual([
      'no ScaledObject asks for any variant of chat/llama: nothing follows its targets',
    ])
    expect(warnings([scaledObject('llama')], two)).toEqual([
      'no ScaledObject asks for variant chat/llama/l40s: nothing follows its target',
    ])
    const twin = { ...scaledObject('llama'), metadata: { name: 'twin', namespace: 'chat' } }
    expect(warnings([scaledObject('llama'), twin])).toEqual([
      'variant chat/llama/h100 is asked for by chat/llama, chat/twin: one should',
    ])
    expect(warnings([scaledObject('llama'), scaledObject('typo', { variant: 'h200' })])).toEqual([
      'ScaledObject chat/typo asks for variant h200, which policy llama does not have',
    ])
  })

  test('a namespace that the policy does not allow; other scalers’ objects are none of our business', () => {
    const foreign = {
      ...scaledObject('llama', { policy: 'chat/llama' }),
      metadata: { name: 'so', namespace: 'x' },
    }
    expect(warnings([scaledObject('llama'), foreign]).join('\n')).toContain(
      'ScaledObject x/so asks for policy chat/llama, which does not allow its namespace',
    )
    const allowed = warnings([foreign], { ...policies, alsoAllowed: { 'chat/llama': ['x'] } }).join('\n')
    expect(allowed).not.toContain('does not allow')
    expect(allowed).toContain('scales Deployment x/llama, the variant is Deployment chat/llama')
    expect(warnings([scaledObject('llama'), scaledObject('others', { policy: 'unknown' })])).toEqual([])
    expect(scaledObjectFacts(changed({ triggers: [{ type: 'prometheus' }] }))).toBeUndefined()
  })
})

describe('pauses', () => {
  const paused = (annotations: Readonly<Record<string, string>>) =>
    pausesOf(
      asked([
        {
          ...scaledObject('llama'),
          metadata: {
            name: 'llama',
            namespace: 'chat',
            annotations: Object.fromEntries(
              Object.entries(annotations).map(([key, value]) => [`autoscaling.keda.sh/${key}`, value]),
            ),
          },
        },
      ]),
    )[id]

  test.each<[Readonly<Record<string, string>>, ReturnType<typeof paused>]>([
    [{}, undefined],
    [{ paused: 'false' }, undefined],
    [{ paused: 'true' }, { stops: 'all' }],
    [{ 'paused-replicas': '3' }, { stops: 'all', replicas: 3 }],
    [{ 'paused-replicas': '0' }, { stops: 'all', replicas: 0 }],
    [{ 'paused-replicas': '' }, undefined],
    [{ 'paused-scale-in': 'true' }, { stops: 'scaleIn' }],
    [{ 'paused-scale-out': 'true' }, { stops: 'scaleOut' }],
    [{ 'paused-scale-in': 'true', 'paused-scale-out': 'true' }, { stops: 'all' }],
    [{ paused: 'true', 'paused-scale-in': 'true' }, { stops: 'all' }],
  ])('%j', (annotations, pause) => {
    expect(paused(annotations)).toEqual(pause)
  })
})
