import { describe, expect, it } from 'vitest'
import type { ReplicaCounts, VariantSignals } from '../../src/core/observation.ts'
import { observe } from '../../src/core/observe/observe.ts'
import { defaultObserveOptions, queryPlan } from '../../src/core/observe/queries.ts'
import {
  type Answer,
  partLabel,
  type QueryId,
  type Row,
  workloadLabel,
} from '../../src/core/observe/series.ts'
import type { Reading } from '../../src/core/reading.ts'
import { owner, policySet } from './policies.ts'

const at = 1_760_000_000
const policies = policySet({ variants: [owner('h100', 'llama'), owner('l40s', 'other')] })
const plan = queryPlan(policies, defaultObserveOptions)
const id = 'chat/llama/h100'

function row(part: string, value: number, more: Readonly<Record<string, string>> = {}): Row {
  return {
    labels: {
      namespace: 'chat',
      model_name: 'llama-70b',
      [workloadLabel]: 'llama',
      [partLabel]: part,
      ...more,
    },
    value,
  }
}

function histogram(at1: number, total: number, sum: number): Answer {
  return rows(
    row('buckets', at1, { le: '1.0' }),
    row('buckets', total, { le: '2.5' }),
    row('buckets', total, { le: '+Inf' }),
    row('sum', sum),
    row('typicalCount', total),
    row('typicalSum', sum),
  )
}

function rows(...list: readonly Row[]): Answer {
  return { kind: 'rows', rows: list }
}

function listOf(answer: Answer): readonly Row[] {
  return answer.kind === 'rows' ? answer.rows : []
}

/** One replica that does something, at the newest possible instant. */
const healthy: Readonly<Record<Exclude<QueryId, 'gateways'>, Answer>> = {
  gauges: rows(row('running', 4), row('waiting', 1), row('kvUsage', 0.5), row('kvEngines', 1)),
  growth: rows(
    row('running', 0.1),
    row('waiting', -0.3),
    row('before', 1),
    row('slope/running', 1),
    row('slope/waiting', 1),
  ),
  counters: rows(
    row('completions', 2),
    row('generationTokens', 400),
    row('preemptions', 0),
    row('prefixQueries', 2000),
    row('prefixHits', 500),
    row('fineRate', 3),
    row('fineSamples', 2),
  ),
  promptTokens: histogram(1, 2, 3000),
  outputTokens: histogram(1, 2, 500),
  ttft: histogram(1, 2, 2.5),
  itl: rows(
    ...listOf(histogram(1, 2, 2.5)),
    row('tpot/buckets', 1, { le: '1.0' }),
    row('tpot/buckets', 2, { le: '+Inf' }),
    row('tpot/sum', 1.5),
  ),
  kvConfig: rows(row('', 1, { num_gpu_blocks: '1000', block_size: '16', model_name: '' })),
  presence: rows(row('replicas', 1), row('newestAt', at - 5)),
  targets: rows(row('all', 1), row('up', 1)),
  inventory: rows(row('', 1)),
  doubled: rows(row('', 1)),
}

interface Case {
  readonly answers?: Partial<Record<QueryId, Answer>>
  readonly replicas?: Readonly<Record<string, Reading<ReplicaCounts>>>
}

function signals({ answers = {}, replicas }: Case): VariantSignals {
  const all = new Map(Object.entries({ ...healthy, ...answers })) as Map<QueryId, Answer>
  const observation = observe(policies, plan, all, {
    at,
    classAnswers: [],
    ...(replicas !== undefined && { replicas }),
  })
  const found = observation.variants[id]
  if (found === undefined) throw new Error('no signals')
  return found
}

const nothing = rows()
const noRows = Object.fromEntries(Object.keys(healthy).map((query) => [query, nothing])) as Record<
  QueryId,
  Answer
>
const counts = { desired: 1, ready: 1, starting: 0, terminating: 0 }

describe('what is missing, and why', () => {
  it('is nothing where every query has an answer', () => {
    expect(JSON.stringify(signals({}))).not.toContain('missing')
    expect(signals({}).arrivingNow).toEqual({ requestsPerSecond: 3, seconds: 5 })
    expect(signals({}).inSystemGrowthPerSecond).toBeCloseTo(-0.2, 12)
    expect(signals({}).ttft).toEqual({ upperBounds: [1, 2.5], perSecond: [1, 1, 0], sumPerSecond: 2.5 })
    expect(signals({}).tpot).toEqual({ upperBounds: [1], perSecond: [1, 1], sumPerSecond: 1.5 })
    expect(signals({}).typicalEngine).toEqual({
      gapsPerSecond: 2,
      gapSecondsPerSecond: 2.5,
      firstTokensPerSecond: 2,
      ttftSecondsPerSecond: 2.5,
    })
  })

  it('growth is a slope where no replica was there a window ago: all may be new to the metrics alone', () => {
    const growth = {
      growth: rows(...listOf(healthy.growth).filter(({ labels }) => labels[partLabel] !== 'before')),
    }
    expect(signals({ answers: growth }).inSystemGrowthPerSecond).toBe(2)
  })

  it('zero traffic is a zero of standing counters, and means over it are idle', () => {
    const still = signals({
      answers: {
        gauges: rows(row('running', 0), row('waiting', 0), row('kvUsage', 0), row('kvEngines', 1)),
        counters: rows(
          row('completions', 0),
          row('generationTokens', 0),
          row('preemptions', 0),
          row('prefixQueries', 0),
          row('prefixHits', 0),
        ),
        ttft: histogram(0, 0, 0),
      },
    })
    expect(still.completionsPerSecond).toBe(0)
    expect(still.running).toBe(0)
    expect(still.prefixHitRate).toEqual({ missing: 'idle', detail: 'prefix cache queries' })
    expect(still.ttft).toEqual({ missing: 'idle', detail: 'TTFT' })
  })

  it('NaN is not a number, and not idle', () => {
    const { completionsPerSecond, ttft } = signals({
      answers: {
        counters: rows(row('completions', Number.NaN)),
        ttft: histogram(Number.NaN, 1, 1),
      },
    })
    expect(completionsPerSecond).toEqual({ missing: 'notANumber', detail: 'finished requests' })
    expect(ttft).toEqual({ missing: 'notANumber', detail: 'TTFT' })
  })

  it.each([
    [Number.POSITIVE_INFINITY, 'finished requests'],
    [Number.NEGATIVE_INFINITY, 'finished requests'],
    [-1, 'finished requests: -1 is below 0'],
  ])('a rate of %d is corrupt', (value, detail) => {
    const { completionsPerSecond } = signals({ answers: { counters: rows(row('completions', value)) } })
    expect(completionsPerSecond).toEqual({ missing: 'infinite', detail })
  })

  it("a KV cache usage above 1 is not vLLM's fraction", () => {
    const { kvUsage } = signals({ answers: { gauges: rows(row('kvUsage', 37), row('kvEngines', 1)) } })
    expect(kvUsage).toEqual({ missing: 'infinite', detail: 'KV cache usage: 37 is not in 0..1' })
  })

  it('a newest sample that is too old makes everything stale, rates over the past included', () => {
    const stale = signals({
      answers: { gauges: nothing, presence: rows(row('newestAt', at - 100)) },
    })
    for (const reading of [
      stale.reporting,
      stale.running,
      stale.completionsPerSecond,
      stale.ttft,
      stale.replicas,
    ]) {
      expect(reading).toEqual({ missing: 'stale', detail: 'newest sample 100 s old' })
    }
  })

  it('a target that does not answer is not scraped', () => {
    const { running, replicas } = signals({
      answers: { ...noRows, targets: rows(row('all', 2), row('up', 1)) },
    })
    expect(running).toEqual({ missing: 'notScraped', detail: '1 of 2 targets do not answer' })
    expect(replicas).toEqual({ missing: 'notScraped', detail: '1 of 2 targets do not answer' })
  })

  it('no series while Kubernetes counts no replicas: nothing runs', () => {
    const none = { desired: 0, ready: 0, starting: 0, terminating: 0 }
    const { running, replicas } = signals({ answers: noRows, replicas: { [id]: none } })
    expect(running).toEqual({ missing: 'noReplicas', detail: 'running requests' })
    expect(replicas).toEqual(none)
  })

  it('no series while replicas start: nothing runs yet, though their targets do not answer', () => {
    const starting = { desired: 2, ready: 0, starting: 2, terminating: 0 }
    const answers = { ...noRows, targets: rows(row('all', 2), row('up', 0)) }
    expect(signals({ answers, replicas: { [id]: starting } }).running).toEqual({
      missing: 'noReplicas',
      detail: 'running requests: 2 starting',
    })
  })

  it('no series while replicas are ready: nobody knows the series', () => {
    expect(signals({ answers: noRows, replicas: { [id]: counts } }).running).toEqual({
      missing: 'noSeries',
      detail: 'running requests',
    })
    expect(signals({ answers: noRows }).replicas).toMatchObject({ missing: 'noSeries' })
  })

  it('a metric that only some versions have is not reported, one that all have lacks samples', () => {
    const { prefixHitRate, kvTokensPerReplica, completionsPerSecond } = signals({
      answers: { counters: nothing, kvConfig: nothing },
    })
    expect(prefixHitRate).toEqual({ missing: 'notReported', detail: 'prefix cache hits' })
    expect(kvTokensPerReplica).toEqual({ missing: 'notReported', detail: 'cache_config_info' })
    expect(completionsPerSecond).toEqual({
      missing: 'noSeries',
      detail: 'finished requests: too few samples within the window',
    })
  })

  it('a failed query makes its own readings missing and no others', () => {
    const failed: Answer = { kind: 'failed', why: 'no answer within 5.0 s' }
    const { ttft, itl, running } = signals({ answers: { ttft: failed } })
    expect(ttft).toEqual({ missing: 'backendDown', detail: 'no answer within 5.0 s' })
    expect(itl).not.toHaveProperty('missing')
    expect(running).toBe(4)
  })

  it('with every query failed the back end is down everywhere', () => {
    const failed: Answer = { kind: 'failed', why: 'no connection: ECONNREFUSED' }
    const answers = Object.fromEntries(Object.keys(healthy).map((query) => [query, failed]))
    for (const [name, reading] of Object.entries(signals({ answers }))) {
      expect([name, reading]).toEqual([
        name,
        { missing: 'backendDown', detail: 'no connection: ECONNREFUSED' },
      ])
    }
  })

  it('does not mistake a failed presence query for nothing there', () => {
    const failed: Answer = { kind: 'failed', why: 'HTTP status 502' }
    expect(signals({ answers: { ...noRows, presence: failed } }).running).toEqual({
      missing: 'backendDown',
      detail: 'HTTP status 502',
    })
  })

  it('counts replicas by what reports where Kubernetes does not say', () => {
    const reporting = { desired: 1, ready: 1, starting: 0, terminating: 0 }
    expect(signals({}).replicas).toEqual(reporting)
    expect(signals({ replicas: { [id]: { missing: 'backendDown' } } }).replicas).toEqual(reporting)
    const counted = { desired: 3, ready: 2, starting: 1, terminating: 0 }
    expect(signals({ replicas: { [id]: counted } }).replicas).toEqual(counted)
  })
})

describe('the KV cache size', () => {
  const config = (engines: number, labels: Readonly<Record<string, string>>) =>
    row('', engines, { model_name: '', ...labels })

  it('prefers the token count that newer engines state', () => {
    const kvConfig = rows(
      config(1, { num_gpu_blocks: '1000', block_size: '16', kv_cache_size_tokens: '9000' }),
    )
    expect(signals({ answers: { kvConfig } }).kvTokensPerReplica).toBe(9000)
  })

  it('takes engines that say "None" to be like the others', () => {
    const kvConfig = rows(
      config(1, { num_gpu_blocks: 'None', block_size: '16' }),
      config(1, { num_gpu_blocks: '1000', block_size: '16' }),
    )
    const presence = rows(row('replicas', 2), row('newestAt', at))
    expect(signals({ answers: { kvConfig, presence } }).kvTokensPerReplica).toBe(16_000)
  })

  it('is not reported where no engine tells it', () => {
    const kvConfig = rows(config(2, { num_gpu_blocks: 'None', block_size: '16' }))
    expect(signals({ answers: { kvConfig } }).kvTokensPerReplica).toEqual({
      missing: 'notReported',
      detail: 'num_gpu_blocks',
    })
  })
})

describe('histograms', () => {
  it('without a +Inf bucket are not whole', () => {
    const ttft = rows(row('buckets', 1, { le: '1.0' }), row('sum', 1))
    expect(signals({ answers: { ttft } }).ttft).toMatchObject({ missing: 'notReported' })
  })

  it('whose buckets fall from edge to edge, as sums over two versions do, are raised', () => {
    const ttft = rows(
      row('buckets', 5, { le: '1' }),
      row('buckets', 3, { le: '20' }),
      row('buckets', 6, { le: '+Inf' }),
      row('buckets', 9, { le: 'nonsense' }),
      row('sum', 4),
    )
    expect(signals({ answers: { ttft } }).ttft).toEqual({
      upperBounds: [1, 20],
      perSecond: [5, 0, 1],
      sumPerSecond: 4,
    })
  })
})
