import { describe, expect, it } from 'vitest'
import { mean, quantile } from '../../src/core/histogram.ts'
import { isMissing, type Reading } from '../../src/core/reading.ts'
import { labelled, owner, patterned, policySet } from './policies.ts'
import {
  observed,
  type Pod,
  played,
  runSeconds,
  scrapeSeconds,
  signalsOf,
  start,
  targetOf,
  textOf,
} from './stage.ts'
import { exposition, quiet } from './vllm.ts'

function known<T>(reading: Reading<T>): T {
  if (isMissing(reading)) throw new Error(`missing: ${JSON.stringify(reading)}`)
  return reading
}

/** Finishes `perSecond` requests and holds `running`. */
function busy(pod: string, perSecond: number, running: number, more: Partial<Pod> = {}): Pod {
  return { pod, state: (seconds) => ({ running, kvUsage: 0.4, finished: perSecond * seconds }), ...more }
}

const h100a = 'llama-h100-5d4f8c7b9d-x2x4z'
const h100b = 'llama-h100-5d4f8c7b9d-bcdfg'

describe('a fleet of vLLM pods, observed', () => {
  it('sums two pods of a Deployment and reads every signal in its unit', () => {
    const growing: Pod = {
      pod: h100b,
      state: (seconds) => ({
        running: 10,
        waiting: seconds / 10,
        kvUsage: 0.8,
        finished: 3 * seconds,
        preemptions: seconds / 5,
      }),
    }
    const store = played([busy(h100a, 2, 6), growing])
    const observation = observed(store, policySet({ variants: [owner('h100', 'llama-h100')] }))
    const signals = signalsOf(observation, 'chat/llama/h100')
    expect(signals.replicas).toEqual({ desired: 2, ready: 2, starting: 0, terminating: 0 })
    expect(signals.reporting).toBe(2)
    expect(signals.running).toBe(16)
    expect(signals.waiting).toBe(12)
    expect(signals.inSystemGrowthPerSecond).toBeCloseTo(0.1, 9)
    expect(signals.completionsPerSecond).toBeCloseTo(5, 9)
    expect(signals.generationTokensPerSecond).toBeCloseTo(1000, 6)
    expect(signals.preemptionsPerSecond).toBeCloseTo(0.2, 9)
    expect(signals.prefixHitRate).toBeCloseTo(0.25, 9)
    expect(signals.kvUsage).toBeCloseTo(0.6, 9)
    expect(signals.kvTokensPerReplica).toBe(320_000)
    expect(mean(known(signals.promptTokens))).toBeCloseTo(1000, 6)
    expect(mean(known(signals.outputTokens))).toBeCloseTo(200, 6)
    expect(mean(known(signals.ttft))).toBeCloseTo(0.3, 9)
    expect(quantile(known(signals.ttft), 0.5)).toBeCloseTo(0.375, 9)
    expect(mean(known(signals.itl))).toBeCloseTo(0.02, 9)
    expect(observation.warnings).toEqual([])
  })

  it('what a replica holds that is new came within the window, and one that is gone takes nothing with it', () => {
    const shrinking: Pod = { pod: h100a, state: (seconds) => ({ running: 100 - seconds / 2 }) }
    const done: Pod = { pod: 'llama-h100-5d4f8c7b9d-gggg9', state: () => ({ running: 7 }) }
    const fresh: Pod = { pod: h100b, state: (seconds) => ({ running: seconds < 95 ? 20 : 30 }) }
    const store = played([shrinking])
    for (let seconds = 0; seconds <= 50; seconds += scrapeSeconds)
      store.scrape(targetOf(done, 'chat/vllm'), textOf(done, seconds), start + seconds)
    store.targetGone(targetOf(done, 'chat/vllm'), start + 52)
    for (let seconds = 90; seconds <= runSeconds; seconds += scrapeSeconds)
      store.scrape(targetOf(fresh, 'chat/vllm'), textOf(fresh, seconds), start + seconds)
    const policies = policySet({ variants: [owner('h100', 'llama-h100')] })
    const { inSystemGrowthPerSecond } = signalsOf(observed(store, policies), 'chat/llama/h100')
    expect(inSystemGrowthPerSecond).toBeCloseTo((30 - 30) / 60, 9)
  })

  it.each([
    ['v0', 'notReported'],
    ['v1', 0.25],
    ['v1 with old names too', 0.25],
  ] as const)('reads the names of %s, each signal once', (version, hitRate) => {
    const store = played([busy(h100a, 2, 6, { engine: { version } })])
    const signals = signalsOf(
      observed(store, policySet({ variants: [owner('h100', 'llama-h100')] })),
      'chat/llama/h100',
    )
    expect(signals.running).toBe(6)
    expect(signals.kvUsage).toBe(0.4)
    expect(signals.completionsPerSecond).toBeCloseTo(2, 9)
    expect(known(signals.itl).perSecond.reduce((sum, rate) => sum + rate, 0)).toBeCloseTo(400, 6)
    expect(isMissing(signals.prefixHitRate) ? signals.prefixHitRate.missing : signals.prefixHitRate).toBe(
      hitRate,
    )
  })

  it('adds up a rollout from V0 to V1, whose histograms have different edges', () => {
    const store = played([busy(h100a, 2, 6, { engine: { version: 'v0' } }), busy(h100b, 2, 6)])
    const signals = signalsOf(
      observed(store, policySet({ variants: [owner('h100', 'llama-h100')] })),
      'chat/llama/h100',
    )
    expect(mean(known(signals.ttft))).toBeCloseTo(0.3, 9)
    expect(known(signals.ttft).upperBounds.at(-1)).toBe(2560)
    expect(known(signals.itl).perSecond.reduce((sum, rate) => sum + rate, 0)).toBeCloseTo(800, 6)
    expect(signals.kvUsage).toBe(0.4)
  })

  it('counts the data-parallel ranks of a pod as one replica with the cache of all', () => {
    const rank = (engine: number, seconds: number) =>
      exposition(
        { ...quiet, running: 4 + engine, kvUsage: 0.2 * (engine + 1), finished: seconds },
        { engine },
      )
    const pod: Pod = { pod: h100a, says: (seconds) => rank(0, seconds) + rank(1, seconds) }
    const signals = signalsOf(
      observed(played([pod]), policySet({ variants: [owner('h100', 'llama-h100')] })),
      'chat/llama/h100',
    )
    expect(signals.reporting).toBe(1)
    expect(signals.running).toBe(9)
    expect(signals.completionsPerSecond).toBeCloseTo(2, 9)
    expect(signals.kvUsage).toBeCloseTo(0.3, 9)
    expect(signals.kvTokensPerReplica).toBe(640_000)
  })

  it('counts pods that two monitors scrape once, and says so', () => {
    const store = played([busy(h100a, 2, 6), busy(h100b, 2, 6)], ['chat/podmonitor', 'vllm-service'])
    const observation = observed(store, policySet({ variants: [owner('h100', 'llama-h100')] }))
    const signals = signalsOf(observation, 'chat/llama/h100')
    expect(signals.reporting).toBe(2)
    expect(signals.running).toBe(12)
    expect(signals.completionsPerSecond).toBeCloseTo(4, 9)
    expect(signals.kvTokensPerReplica).toBe(320_000)
    expect(observation.warnings).toEqual([
      'chat/llama-h100: every series is there 2 times; do several monitors scrape its pods? Counted once',
    ])
  })

  it('does not double pods by owner when one monitor copies the label of another variant and one does not', () => {
    const copied = busy(h100a, 2, 6, { labels: { llm_d_ai_variant: 'l40s' } })
    const plain = busy(h100a, 2, 6)
    const store = played([copied], ['podmonitor'])
    for (let seconds = 0; seconds <= 120; seconds += scrapeSeconds) {
      const state = { ...quiet, running: 6, finished: 2 * seconds }
      store.scrape(
        { namespace: 'chat', pod: plain.pod, job: 'service' },
        exposition(state),
        1_760_000_000 + seconds,
      )
    }
    const observation = observed(
      store,
      policySet({ variants: [owner('h100', 'llama-h100'), labelled('l40s')] }),
    )
    expect(signalsOf(observation, 'chat/llama/h100').running).toBe(6)
    expect(signalsOf(observation, 'chat/llama/l40s').running).toBe(6)
  })

  it('sees a counter reset as a restart, never as a negative rate', () => {
    const pod: Pod = {
      pod: h100a,
      state: (seconds) => ({ finished: 2 * (seconds > 90 ? seconds - 92 : seconds) }),
    }
    const { completionsPerSecond } = signalsOf(
      observed(played([pod]), policySet({ variants: [owner('h100', 'llama-h100')] })),
      'chat/llama/h100',
    )
    expect(known(completionsPerSecond)).toBeGreaterThan(1.8)
    expect(known(completionsPerSecond)).toBeLessThan(2.01)
  })
})

describe('recognising a variant', () => {
  const decode = 'llama-decode-7c9f8d6b5-bcd24'
  const plain = 'llama-6b7c8d9f5-xz245'
  const pods = [busy(plain, 1, 1), busy(decode, 2, 2)]

  it('never confuses llama with llama-decode, by owner', () => {
    const observation = observed(
      played(pods),
      policySet({ variants: [owner('plain', 'llama'), owner('decode', 'llama-decode')] }),
    )
    expect(signalsOf(observation, 'chat/llama/plain').running).toBe(1)
    expect(signalsOf(observation, 'chat/llama/decode').running).toBe(2)
  })

  it('never confuses them by pattern: of two that match, the longer one decides', () => {
    const variants = [patterned('decode', '^llama-decode-.*$'), patterned('plain', 'llama-.*')]
    const observation = observed(played(pods), policySet({ variants }))
    expect(signalsOf(observation, 'chat/llama/plain').running).toBe(1)
    expect(signalsOf(observation, 'chat/llama/decode').running).toBe(2)
  })

  it('lets a pattern claim pods of its own namespace only', () => {
    const elsewhere = busy('llama-decode-0', 5, 5, { namespace: 'batch' })
    const observation = observed(
      played([...pods, elsewhere]),
      policySet(
        { variants: [patterned('long', 'llama-(?:decode|prefill)-.*')] },
        { namespace: 'batch', variants: [patterned('short', 'llama-.*')] },
      ),
    )
    expect(signalsOf(observation, 'chat/llama/long').running).toBe(2)
    expect(signalsOf(observation, 'batch/llama/short').running).toBe(5)
  })

  it('takes a StatefulSet whose name ends in a number whole', () => {
    const observation = observed(
      played([busy('llama-8-0', 1, 1), busy('llama-8-1', 1, 1), busy('llama-0', 7, 7)]),
      policySet({
        variants: [owner('eight', 'llama-8', 'StatefulSet'), owner('plain', 'llama', 'StatefulSet')],
      }),
    )
    expect(signalsOf(observation, 'chat/llama/eight').running).toBe(2)
    expect(signalsOf(observation, 'chat/llama/plain').running).toBe(7)
  })

  it('counts a LeaderWorkerSet by groups, all of whose pods may report', () => {
    const group = ['llama-405b-0', 'llama-405b-0-1', 'llama-405b-1', 'llama-405b-1-1'].map((pod) =>
      busy(pod, 1, 3),
    )
    const variants = [owner('multi', 'llama-405b', 'LeaderWorkerSet')]
    const signals = signalsOf(observed(played(group), policySet({ variants })), 'chat/llama/multi')
    expect(signals.reporting).toBe(2)
    expect(signals.running).toBe(12)
    expect(signals.kvTokensPerReplica).toBe(640_000)
  })

  it('recognises by a label on the series, and tells two policies of one namespace apart by the served name', () => {
    const label = { labels: { llm_d_ai_variant: 'shared' } }
    const other = { ...label, engine: { model: 'qwen' } }
    const observation = observed(
      played([busy('a', 1, 1, label), busy('b', 2, 2, other)]),
      policySet(
        { variants: [labelled('one', 'shared')] },
        { name: 'qwen', servedNames: ['qwen'], variants: [labelled('two', 'shared')] },
      ),
    )
    expect(signalsOf(observation, 'chat/llama/one').running).toBe(1)
    expect(signalsOf(observation, 'chat/qwen/two').running).toBe(2)
  })

  it('asks kube-state-metrics for the owner where it is there, also for names that say nothing', () => {
    const store = played([busy('cut-off-by-63-characters', 2, 6), busy('web-0', 1, 1)])
    const owners = [
      'kube_pod_owner{namespace="chat",pod="cut-off-by-63-characters",owner_kind="ReplicaSet",owner_name="llama-h100-5d4f8c7b9d",owner_is_controller="true"} 1',
      'kube_pod_owner{namespace="chat",pod="web-0",owner_kind="StatefulSet",owner_name="web",owner_is_controller="true"} 1',
    ].join('\n')
    store.scrape({ job: 'kube-state-metrics' }, owners, 1_760_000_120)
    const variants = [owner('h100', 'llama-h100'), owner('web', 'web', 'StatefulSet')]
    const observation = observed(store, policySet({ variants }), { workloads: 'podOwner' })
    expect(signalsOf(observation, 'chat/llama/h100').running).toBe(6)
    expect(signalsOf(observation, 'chat/llama/web').running).toBe(1)
  })

  it('keeps to its own cluster in a store of several', () => {
    const store = played([
      busy('llama-0', 1, 1, { labels: { cluster: 'eu' } }),
      busy('llama-1', 1, 5, { labels: { cluster: 'us' } }),
    ])
    const set = policySet({ variants: [owner('plain', 'llama', 'StatefulSet')] })
    expect(signalsOf(observed(store, set, { matchers: { cluster: 'eu' } }), 'chat/llama/plain').running).toBe(
      1,
    )
  })

  it('reads other prefixes', () => {
    const says = (seconds: number) =>
      exposition({ ...quiet, running: 3, finished: seconds }).replaceAll('vllm:', 'ray_vllm_')
    const set = policySet({ variants: [owner('plain', 'llama')] })
    const observation = observed(played([{ pod: plain, says }]), set, { metricPrefix: 'ray_vllm_' })
    expect(signalsOf(observation, 'chat/llama/plain').running).toBe(3)
  })
})

describe('warnings', () => {
  it('name pods of a served model that no variant claims, and the variant that matches nothing', () => {
    const observation = observed(
      played([busy(h100a, 1, 1), busy(h100b, 1, 1)]),
      policySet({ variants: [labelled('h100')] }),
    )
    expect(observation.warnings).toEqual([
      'chat/llama-h100: 2 pods of the model "llama-70b" that no variant claims',
      'variant chat/llama/h100 matches no series: label llm_d_ai_variant="h100" in namespace chat',
    ])
  })

  it('name the model that the pods report where the policy serves another', () => {
    const set = policySet({ servedNames: ['llama'], variants: [owner('h100', 'llama-h100')] })
    const observation = observed(played([busy(h100a, 1, 1)]), set)
    expect(observation.warnings).toEqual([
      'variant chat/llama/h100: its pods report the model "llama-70b", the policy serves "llama"',
    ])
    expect(signalsOf(observation, 'chat/llama/h100').running).toMatchObject({ missing: 'noSeries' })
  })

  it('refuse a label or a pattern that would change the query for others', () => {
    const variants = [labelled('a', 'x', 'pod) (up'), patterned('b', 'a)|(b'), owner('c', 'llama-h100')]
    const observation = observed(played([busy(h100a, 1, 1)]), policySet({ variants }))
    expect(observation.warnings).toEqual([
      'variant chat/llama/a cannot be recognised: "pod) (up" is not the name of a label on series: letters, digits and _, not starting with mixscaler_',
      'variant chat/llama/b cannot be recognised: pattern "a)|(b" is not a regular expression',
    ])
    expect(signalsOf(observation, 'chat/llama/a').running).toMatchObject({ missing: 'noSeries' })
    expect(signalsOf(observation, 'chat/llama/c').running).toBe(1)
  })

  it('end after fifty', () => {
    const variants = Array.from({ length: 70 }, (_, index) => owner(`v${index}`))
    const { warnings } = observed(played([]), policySet({ variants }))
    expect(warnings).toHaveLength(51)
    expect(warnings.at(-1)).toBe('and 20 more')
  })
})
