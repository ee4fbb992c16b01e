import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import type { PolicySet } from '../../src/core/policy.ts'
import { resolveFrom } from '../../src/core/profiles/library.ts'
import { measuredProfiles } from '../../src/core/profiles/measured.ts'
import { loadPoliciesFrom } from '../../src/policy/files.ts'
import { loadPolicies } from '../../src/policy/load.ts'
import { problemText } from '../../src/policy/problem.ts'
import { resolveProfile } from './profiles.ts'

const examples = new URL('../../policies/', import.meta.url).pathname
const smallest = await readFile(`${examples}smallest.yaml`, 'utf8')

function loaded(...texts: readonly string[]): PolicySet {
  return loadedWithWarnings(...texts).policies
}

function loadedWithWarnings(...texts: readonly string[]) {
  const result = loadPolicies(
    texts.map((text, index) => ({ file: `${index}.yaml`, text })),
    resolveProfile,
  )
  if (result.kind === 'invalid') throw new Error(result.problems.map(problemText).join('\n'))
  return result
}

function problems(text: string): readonly string[] {
  const result = loadPolicies([{ file: 'chat.yaml', text }], resolveProfile)
  return result.kind === 'invalid' ? result.problems.map(problemText) : []
}

describe('The smallest useful policy', () => {
  it('is about fifteen lines', () => {
    const lines = smallest.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'))
    expect(lines.length).toBeLessThanOrEqual(15)
  })

  it('gets its defaults', () => {
    const { policies, pools, alsoAllowed } = loaded(smallest)
    expect(pools).toEqual([{ name: 'h100' }])
    expect(alsoAllowed).toEqual({})
    expect(policies).toHaveLength(1)
    expect(policies[0]).toMatchObject({
      id: 'chat/llama-70b',
      servedNames: ['meta-llama/Llama-3.3-70B-Instruct'],
      classes: [
        {
          id: 'chat/llama-70b/chat',
          priority: 0,
          serviceLevel: {
            kind: 'interactive',
            ttft: { percentile: 0.95, seconds: 1 },
            itl: { percentile: 0.95, seconds: 0.05 },
          },
          demand: { kind: 'engine' },
          assumedShape: { promptTokens: 1000, outputTokens: 200 },
        },
      ],
      variants: [
        {
          id: 'chat/llama-70b/h100-tp4',
          role: 'unified',
          scaleTarget: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'vllm-llama-70b' },
          pods: { kind: 'owner' },
          accelerator: { type: 'h100', countPerReplica: 4 },
          pool: 'h100',
          costPerHour: 12.4,
          replicas: { min: 1, max: 12 },
          startupSeconds: 180,
          engine: {},
          maxShare: 1,
          minShare: 0,
        },
      ],
      behavior: {
        forecastQuantile: 'byLead',
        headroom: 0,
        attainment: 0.99,
        learn: { headroom: 'on', speed: 'on' },
        scaleDownHoldSeconds: 120,
        stepLimits: {},
        surviveReplicas: 0,
        hpaTolerance: 0.1,
        stalenessBudgetSeconds: 120,
        sloMargin: 0.95,
        maxLoad: 0.9,
        zero: { afterSeconds: 600 },
      },
    })
    expect(policies[0]?.behavior).not.toHaveProperty('budgetPerHour')
    expect(policies[0]?.variants[0]).not.toHaveProperty('transferGroup')
    expect(policies[0]?.variants[0]).not.toHaveProperty('classes')
  })

  it('starts a replica in three minutes and has one at least, where nothing else is said', () => {
    const bare = smallest.replace(/ +startup: 3m\n/, '').replace('min: 1, ', '')
    expect(loaded(bare)).toEqual(loaded(smallest))
  })

  it('reads the same with Windows line ends, a byte-order mark and a document marker', () => {
    expect(loaded(`\uFEFF---\n${smallest}...\n`.replaceAll('\n', '\r\n'))).toEqual(loaded(smallest))
  })

  it('may use anchors', () => {
    const anchored = smallest
      .replace('cost: $12.40/h', 'cost: &price $12.40/h')
      .concat(
        '    - name: other\n      scaleTarget: { name: other }\n',
        '      accelerator: { type: h100 }\n      cost: *price\n      replicas: { max: 2 }\n',
      )
    expect(loaded(anchored).policies[0]?.variants.map(({ costPerHour }) => costPerHour)).toEqual([12.4, 12.4])
  })
})

describe('The worked examples', () => {
  it('load together, without a problem or a warning, on the real profile library', async () => {
    const result = await loadPoliciesFrom(examples, resolveFrom(measuredProfiles))
    if (result.kind === 'invalid') throw new Error(result.problems.map(problemText).join('\n'))
    expect(result.warnings).toEqual([])
    expect(result.policies.policies.map(({ id }) => id)).toEqual([
      'agents/gpt-oss-120b',
      'assistant/llama-70b-fp8',
      'chat/llama-70b',
      'support/llama-8b',
    ])
  })

  it('of a gateway and a calendar loads alone, with zones as offsets and instants as seconds', async () => {
    const result = await loadPoliciesFrom(`${examples}gateways`, resolveFrom(measuredProfiles))
    if (result.kind === 'invalid') throw new Error(result.problems.map(problemText).join('\n'))
    expect(result.warnings).toEqual([])
    const [policy] = result.policies.policies
    expect(policy?.classes.map(({ demand }) => demand)).toEqual(
      ['0', '10'].map((priority) => ({
        kind: 'gateway',
        gateway: 'inferenceGateway',
        namespace: 'gateways',
        match: { priority },
      })),
    )
    expect(policy?.behavior.zero).toEqual({ afterSeconds: 1200, startWithinSeconds: 180 })
    expect(policy?.variants[0]?.engine.apiServers).toBe(2)
    const [office, maintenance, launch] = policy?.schedules ?? []
    expect(office).toMatchObject({
      title: 'schedule office-hours',
      when: { kind: 'weekly', days: [1, 2, 3, 4, 5], fromSecond: 28_800, untilSecond: 66_600 },
      replicas: { 'assistants/llama-8b/h100': { min: 2 } },
    })
    expect(maintenance).toMatchObject({ when: { fromSecond: 82_800, untilSecond: 90_000 }, hold: true })
    expect(launch).toEqual({
      title: 'event launch',
      when: {
        kind: 'once',
        fromSecond: Date.UTC(2026, 11, 1, 8) / 1000,
        untilSecond: Date.UTC(2026, 11, 1, 11) / 1000,
      },
      hold: false,
      replicas: {},
      demand: { 'assistants/llama-8b/chat': { atLeastPerSecond: 40, factor: 2 } },
    })
  })

  it('say which schema an editor checks them with', async () => {
    for (const name of ['smallest', 'chat-two-gpus', 'prefill-decode', 'chat-and-batch', 'fleet']) {
      const text = await readFile(`${examples}${name}.yaml`, 'utf8')
      expect(text.startsWith('# yaml-language-server: $schema=./schema.json\n')).toBe(true)
    }
  })

  it('cover every kind of role, service level, demand and way to recognise pods', async () => {
    const result = await loadPoliciesFrom(examples, resolveFrom(measuredProfiles))
    if (result.kind === 'invalid') throw new Error('expected the examples to load')
    const { policies } = result.policies
    const variants = policies.flatMap((policy) => policy.variants)
    const classes = policies.flatMap((policy) => policy.classes)
    expect(new Set(variants.map(({ role }) => role)).size).toBe(3)
    expect(new Set(variants.map(({ pods }) => pods.kind)).size).toBe(3)
    expect(new Set(classes.map(({ serviceLevel }) => serviceLevel.kind)).size).toBe(2)
    expect(new Set(classes.map(({ demand }) => demand.kind)).size).toBe(2)
  })
})

describe('What the larger policies state', () => {
  const text = `
apiVersion: mixscaler.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: llama, namespace: chat }
spec:
  model: meta-llama/Llama-3.1-8B-Instruct
  servedNames: [llama, llama-8b]
  classes:
    - name: zebra
      slo: { ttft: { p99.9: 1.5s }, tpot: { p50: 40ms } }
      demand: { requestsPerSecond: 'sum(rate(gateway_requests_total[1m]))' }
    - name: eval
      latencyTolerant: { completeWithin: 1d }
      assumedShape: { promptTokens: 4k }
    - name: later
      priority: 3
      latencyTolerant: { completeWithin: 1h30m }
      demand: { requestsPerSecond: sum(later), backlogTokens: sum(queue) }
  variants:
    - name: z
      scaleTarget: { apiVersion: leaderworkerset.x-k8s.io/v1, kind: LeaderWorkerSet, name: z }
      pods: { label: variant, value: z }
      accelerator: { type: H100, count: 16 }
      pool: reserved
      cost: 62
      replicas: { min: 0, max: 2 }
      engine: { maxNumSeqs: 512, maxNumBatchedTokens: 16384, kvTokens: 1.5M }
      profile: { source: our own, a: 6, b: 3.5e-2, c: 5e-5, mixtureOfExperts: { x: 1.2, kappa: 0.03 }, kvTokens: 400k }
      maxShare: 0.5
      minShare: 5%
      classes: [zebra, eval]
    - name: a
      scaleTarget: { name: a }
      pods: { pattern: 'a-[0-9]+' }
      accelerator: { type: h100 }
      cost: 3.90/h
      replicas: { max: 3 }
      profile: llama-3.1-8b/h100-tp1
  pools: [ { name: reserved, gpus: 32 } ]
  behavior:
    forecastQuantile: 95%
    headroom: 25%
    attainment: 98%
    learn: { speed: off }
    scaleDown: { hold: 0s }
    stepLimits: { down: 1 }
    survive: { replicas: 1 }
    hpaTolerance: 0
    stalenessBudget: 90s
    budget: $200/h
    sloMargin: 90%
    maxLoad: 0.8
`

  it('arrives in the units of the core types, sorted by id', () => {
    const policy = loaded(text).policies[0]
    expect(policy?.classes).toEqual([
      {
        id: 'chat/llama/eval',
        name: 'eval',
        priority: 10,
        serviceLevel: { kind: 'latencyTolerant', completeWithinSeconds: 86_400 },
        demand: { kind: 'engine' },
        assumedShape: { promptTokens: 4000, outputTokens: 200 },
      },
      {
        id: 'chat/llama/later',
        name: 'later',
        priority: 3,
        serviceLevel: { kind: 'latencyTolerant', completeWithinSeconds: 5400 },
        demand: { kind: 'query', requestsPerSecond: 'sum(later)', backlogTokens: 'sum(queue)' },
        assumedShape: { promptTokens: 1000, outputTokens: 200 },
      },
      {
        id: 'chat/llama/zebra',
        name: 'zebra',
        priority: 0,
        serviceLevel: {
          kind: 'interactive',
          ttft: { percentile: 0.999, seconds: 1.5 },
          tpot: { percentile: 0.5, seconds: 0.04 },
        },
        demand: { kind: 'query', requestsPerSecond: 'sum(rate(gateway_requests_total[1m]))' },
        assumedShape: { promptTokens: 1000, outputTokens: 200 },
      },
    ])
    expect(policy?.variants[0]).toMatchObject({
      name: 'a',
      pods: { kind: 'pattern', pattern: 'a-[0-9]+' },
      costPerHour: 3.9,
      replicas: { min: 1, max: 3 },
      profile: { name: 'llama-3.1-8b/h100-tp1' },
    })
    expect(policy?.variants[1]).toEqual({
      id: 'chat/llama/z',
      name: 'z',
      role: 'unified',
      scaleTarget: { apiVersion: 'leaderworkerset.x-k8s.io/v1', kind: 'LeaderWorkerSet', name: 'z' },
      pods: { kind: 'label', label: 'variant', value: 'z' },
      accelerator: { type: 'H100', countPerReplica: 16 },
      pool: 'reserved',
      costPerHour: 62,
      replicas: { min: 0, max: 2 },
      startupSeconds: 180,
      engine: { maxNumSeqs: 512, maxNumBatchedTokens: 16_384, kvTokens: 1_500_000 },
      profile: {
        name: 'policy',
        quality: 'stated',
        source: 'our own',
        a: 6,
        b: 0.035,
        c: 5e-5,
        ap: 6,
        bp: 0.035,
        d2: 0,
        g: 0,
        h: 0,
        mixtureOfExperts: { x: 1.2, kappa: 0.03 },
        kvTokens: 400_000,
      },
      classes: ['zebra', 'eval'],
      maxShare: 0.5,
      minShare: 0.05,
    })
    expect(policy?.behavior).toEqual({
      forecastQuantile: 0.95,
      headroom: 0.25,
      attainment: 0.98,
      learn: { headroom: 'on', speed: 'off' },
      scaleDownHoldSeconds: 0,
      stepLimits: { down: 1 },
      surviveReplicas: 1,
      holdBand: 0.05,
      hpaTolerance: 0,
      stalenessBudgetSeconds: 90,
      budgetPerHour: 200,
      sloMargin: 0.9,
      maxLoad: 0.8,
      zero: { afterSeconds: 600 },
    })
  })

  it('lists the pools that are stated and those that are only used', () => {
    expect(loaded(text).pools).toEqual([{ name: 'h100' }, { name: 'reserved', gpus: 32 }])
  })

  it('does not depend on the order of files', () => {
    expect(loaded(smallest, text)).toEqual(loaded(text, smallest))
  })

  it('may be several documents of one file', () => {
    expect(loaded(`${smallest}---\n${text}`)).toEqual(loaded(smallest, text))
  })
})

describe('A fleet document', () => {
  const fleet = `
apiVersion: mixscaler.dev/v1alpha1
kind: Fleet
metadata: { name: fleet }
spec:
  pools: [ { name: h100, gpus: 64 }, { name: l40s } ]
  prices: { h100: $3/h }
  access:
    - { policy: chat/llama-70b, namespaces: [team-b, team-a] }
    - { policy: chat/llama-70b, namespaces: [team-a] }
  defaults:
    behavior: { headroom: 30%, stepLimits: { up: 4 }, budget: $90/h }
`

  it('gives inventory, access and defaults that the policy may override field by field', () => {
    const set = loaded(`${smallest}  behavior: { headroom: 0, stepLimits: { down: 2 } }\n`, fleet)
    expect(set.pools).toEqual([{ name: 'h100', gpus: 64 }, { name: 'l40s' }])
    expect(set.alsoAllowed).toEqual({ 'chat/llama-70b': ['team-a', 'team-b'] })
    expect(set.policies[0]?.behavior).toMatchObject({
      headroom: 0,
      stepLimits: { up: 4, down: 2 },
      budgetPerHour: 90,
      maxLoad: 0.9,
    })
  })

  it('prices a replica by its GPUs where the variant states no cost', () => {
    const cost = (text: string) => loaded(text, fleet).policies[0]?.variants[0]?.costPerHour
    expect(cost(smallest)).toBe(12.4)
    expect(cost(smallest.replace(/ +cost: .*\n/, ''))).toBe(12)
  })

  it('adds up with another one that does not contradict it', () => {
    const more = fleet
      .replace('name: fleet', 'name: more')
      .replace(/ {2}(access|defaults)[\s\S]*/, '')
      .replace('{ name: l40s }', '{ name: l40s, gpus: 8 }')
    expect(loaded(smallest, fleet, more).pools).toEqual([
      { name: 'h100', gpus: 64 },
      { name: 'l40s', gpus: 8 },
    ])
  })
})

describe('What cannot be kept', () => {
  const slow = (type: string) =>
    smallest.replace('itl: { p95: 50ms }', 'itl: { p95: 20ms }').replace('type: h100', `type: ${type}`)

  it('is an error where a measured profile says so, and a warning where an estimate does', () => {
    const tight = slow('h100').replace('20ms', '5ms')
    expect(problems(tight)).toEqual([
      'spec.classes[0].slo.itl.p95 must be at least 6.6ms: the fastest variant, h100-tp4, needs that when idle: got "5ms" (chat.yaml:10:45; against spec.variants[0] at chat.yaml:12:7)',
    ])
    expect(loadedWithWarnings(slow('l40s')).warnings.map(problemText)).toEqual([
      'spec.variants[0].name will not serve chat: idle, it needs ITL 25.3ms (profile llama-3.1-8b/l40s-tp1, guess): got "h100-tp4" (0.yaml:12:13; against spec.classes[0].slo.itl at 0.yaml:10:38)',
    ])
  })

  it('is judged with the margin that sizing uses', () => {
    const bound = (ms: string, margin: string) =>
      problems(`${smallest.replace('50ms', ms)}  behavior: { sloMargin: ${margin} }\n`).length
    expect(bound('6.3ms', '100%')).toBe(0)
    expect(bound('6.3ms', '95%')).toBe(1)
    expect(bound('6.6ms', '95%')).toBe(0)
  })

  it('takes prompts for short unless the policy says how long they are', () => {
    const ttft = smallest.replace('ttft: { p95: 1s }', 'ttft: { p95: 30ms }')
    expect(problems(ttft)).toEqual([])
    const long = ttft.replace('50ms } }', '50ms } }\n      assumedShape: { promptTokens: 1000 }')
    expect(problems(long)).toHaveLength(1)
  })
})

describe('A policy that is partly broken', () => {
  const broken = smallest.replace('startup: 3m', 'startup: soon')

  it('still has its contradictions found', () => {
    const both = problems(broken.replace('max: 12', 'max: 0'))
    expect(both.map((text) => text.split(':')[0])).toEqual([
      'spec.variants[0].replicas.max must be at least min, which is 1',
      'spec.variants[0].startup must be a duration such as 90s, 50ms, 4h or 1h30m',
    ])
  })

  it('has the rest found where it stands, although entries before it are left out', () => {
    const variant = (name: string, cost: string) =>
      `    - { name: ${name}, scaleTarget: { name: ${name} }, accelerator: { type: h100 }, cost: ${cost}, replicas: { max: 1 } }\n`
    const variants = [variant('a', 'free'), variant('b', '1'), '    - 7\n', variant('b', '1')].join('')
    expect(problems(smallest + variants).map((text) => text.split(':')[0])).toEqual([
      'spec.variants[1].cost must be money per hour such as $3.90/h',
      expect.stringMatching(/^spec\.variants\[3\] must be a mapping/),
      'spec.variants[4].name is the name of another variant',
      'spec.variants[4].scaleTarget.name is scaled by another variant already',
    ])
  })

  it('is not said to lack what may have been in the broken part', () => {
    expect(problems(smallest.replace('- name: h100-tp4', '- name: H100'))).toHaveLength(1)
    expect(problems(smallest.replace('cost:', 'costs:'))).toHaveLength(1)
    expect(problems(smallest.replace('model:', 'modell:'))).toHaveLength(2)
  })
})
