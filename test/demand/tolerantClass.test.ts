// A class that may wait, through the whole decision: beside an interactive one, on one kind of replica.
import { describe, expect, it } from 'vitest'
import type { Decided } from '../../src/core/decide.ts'
import { missing } from '../../src/core/reading.ts'
import type { Reason } from '../../src/core/reason.ts'
import { sentence } from '../../src/core/sentence.ts'
import { behavior } from '../behavior.ts'
import {
  observe,
  policy,
  policySet,
  signals,
  story,
  trafficClass,
  variant,
  variantOf,
} from '../decide/world.ts'

const hour = 3600
const chat = trafficClass('chat', { demand: { kind: 'query', requestsPerSecond: 'sum(gateway)' } })
const batch = trafficClass('batch', {
  priority: 10,
  serviceLevel: { kind: 'latencyTolerant', completeWithinSeconds: 6 * hour },
  demand: { kind: 'query', backlogTokens: 'sum(queue)' },
})
const exact = { ...behavior, headroom: 0 }

function fleet(max = 20, classes = [chat, batch]) {
  return policySet([policy([variant('h100', { replicas: { min: 1, max } })], { classes, behavior: exact })])
}

function tick(at: number, ready: number, chatPerSecond: number, backlogTokens: number) {
  return observe(
    at,
    { h100: signals(ready, chatPerSecond) },
    { chat: { requestsPerSecond: chatPerSecond }, batch: { backlogTokens } },
  )
}

/** What one replica carries of a class when there are two. */
function perReplica(name: string): number {
  const [step] = story(fleet(2), [tick(0, 2, 1000, 0)])
  const capacity = variantOf(step, 'h100').capacity[name]
  if (capacity?.kind !== 'feasible') throw new Error(`${name} has no capacity`)
  return capacity.requestsPerSecond
}

function batchReasons(step: Decided | undefined, kind: Reason['kind']): readonly Reason[] {
  return (step?.decision.policies[0]?.reasons ?? []).filter((reason) => reason.kind === kind)
}

function demandOf(step: Decided | undefined, name: string): number {
  return Number(step?.decision.policies[0]?.classes.find((each) => each.name === name)?.demand)
}

describe('slack', () => {
  // Chat takes one and a half replicas, so two are there. A job of so many tokens is due in six hours.
  const chatPerSecond = 1.5 * perReplica('chat')
  const jobFor = (replicas: number) => replicas * perReplica('batch') * 130 * 6 * hour
  const withJob = (tokens: number) =>
    story(fleet(), [tick(0, 2, chatPerSecond, 0), tick(15, 2, chatPerSecond, tokens)])

  it('is filled before a replica is added', () => {
    const [before, after] = withJob(jobFor(0.4))
    expect(variantOf(before, 'h100').wanted).toBe(2)
    expect(variantOf(after, 'h100').wanted).toBe(2)
    expect(after?.decision.policies[0]?.status).toBe('planned')
  })

  it('is not stretched: a job that needs more gets one', () => {
    expect(variantOf(withJob(jobFor(0.6))[1], 'h100').wanted).toBe(3)
  })

  it('suffices for a job with time: far deadlines are not served at full speed', () => {
    // Within half an hour this job would take more than two replicas of its own.
    const [, step] = withJob(jobFor(0.2))
    expect(jobFor(0.2) / 130 / 1800).toBeGreaterThan(2 * perReplica('batch'))
    expect(demandOf(step, 'batch')).toBeLessThan(0.21 * perReplica('batch'))
    expect(variantOf(step, 'h100').wanted).toBe(2)
  })
})

describe('a cold start', () => {
  it('is ordered once: the rate stands still while its replicas start, and is not counted when they are ready', () => {
    const soon = trafficClass('batch', {
      ...batch,
      serviceLevel: { kind: 'latencyTolerant', completeWithinSeconds: 1200 },
    })
    const cold = policySet([
      policy([variant('h100', { replicas: { min: 0, max: 40 } })], { classes: [soon], behavior: exact }),
    ])
    const job = { batch: { backlogTokens: 100_000 * 130 } }
    const starting = { replicas: { desired: 3, ready: 0, starting: 3, terminating: 0, startingSince: [15] } }
    const steps = story(cold, [
      observe(0, { h100: signals(0, 0) }, { batch: { backlogTokens: 0 } }),
      observe(15, { h100: signals(0, 0) }, job),
      ...[30, 90, 180].map((at) => observe(at, { h100: signals(0, 0, starting) }, job)),
      observe(195, { h100: signals(3, 0) }, job),
    ])
    const rates = steps.slice(1).map((step) => demandOf(step, 'batch'))
    for (const rate of rates) expect(rate).toBeCloseTo(rates[0] ?? 0, 6)
    expect(steps.slice(1).map((step) => variantOf(step, 'h100').target)).toEqual([3, 3, 3, 3, 3])
  })
})

describe('a deadline that cannot be met', () => {
  const tokens = 100_000 * 130

  it('is named, with what is late and what it would take', () => {
    // 100,000 requests in six hours are 4.6 per second; one replica has less than that to spare beside chat.
    const chatPerSecond = perReplica('chat') * 0.95
    const [, step] = story(fleet(1), [tick(0, 1, chatPerSecond, 0), tick(15, 1, chatPerSecond, tokens)])
    const short = Number(step?.decision.policies[0]?.classes[1]?.shortfall)
    expect(step?.decision.policies[0]?.status).toBe('shortfall')
    expect(step?.decision.policies[0]?.classes[0]?.shortfall).toBe(0)
    const [lost] = batchReasons(step, 'deadlineLost')
    if (lost?.kind !== 'deadlineLost') throw new Error('no deadline is lost')
    expect(lost.dueInSeconds).toBe(6 * hour - 15)
    expect(lost.morePerSecond).toBeCloseTo(short)
    // What is short for six hours is late, give or take the margins.
    expect(lost.requests / (short * 6 * hour)).toBeGreaterThan(0.95)
    expect(lost.requests / (short * 6 * hour)).toBeLessThan(1)
    expect(sentence(lost)).toMatch(
      /^about \d+ requests of batch due in 6 h 0 min will be late: \d\.\d\d req\/s more would be needed$/,
    )
  })

  it('is named even where nothing is short, if what starts now comes too late', () => {
    const urgent = trafficClass('batch', {
      ...batch,
      serviceLevel: { kind: 'latencyTolerant', completeWithinSeconds: 150 },
    })
    const job = 3000 * 130 // 3000 requests within 150 s; a start takes 180 s
    const [, step] = story(fleet(20, [chat, urgent]), [tick(0, 1, 10, 0), tick(15, 1, 10, job)])
    expect(step?.decision.policies[0]?.status).toBe('planned')
    expect(batchReasons(step, 'deadlineLost').map(sentence)).toEqual([
      'about 3000 requests of batch due in 2 min will be late: what starts now comes too late',
    ])
  })

  it('is reported once it is past, and drained', () => {
    const late = 6 * hour + 600
    const steps = story(fleet(1), [tick(0, 1, 5, 0), tick(15, 1, 5, tokens), tick(late, 1, 5, tokens)])
    expect(batchReasons(steps[2], 'deadlineMissed').map(sentence)).toEqual([
      'about 100000 requests of batch are past their deadline, by up to 10 min',
    ])
    expect(batchReasons(steps[1], 'deadlineMissed')).toEqual([])
    expect(demandOf(steps[2], 'batch')).toBeCloseTo(100_000 / 60)
  })
})

describe('missing readings', () => {
  it('leave the ledger as it is, do not hold up the chat, and cost no deadline', () => {
    const unread = observe(
      600,
      { h100: signals(1, 5) },
      { chat: { requestsPerSecond: 5 }, batch: { backlogTokens: missing('stale') } },
    )
    const steps = story(fleet(), [
      tick(0, 1, 5, 0),
      tick(15, 1, 5, 130_000),
      unread,
      tick(615, 1, 5, 130_000),
    ])
    const ledgers = steps.map(({ state }) => state.classes['chat/llama/batch']?.ledger?.lots)
    expect(ledgers[2]).toEqual(ledgers[1])
    expect(ledgers[3]).toEqual([{ tokens: 130_000, since: 0 }])
    expect(variantOf(steps[2], 'h100').wanted).toBe(1)
    expect(demandOf(steps[2], 'chat')).toBe(5)
  })
})

describe('an interactive class that only the engines report', () => {
  // The engines see 30 requests per second of both classes; ten of them are the batch's, 1300 tokens per second.
  const atEngines = trafficClass('chat')
  const running = (backlogOf: (at: number) => number) =>
    story(
      fleet(20, [atEngines, batch]),
      Array.from({ length: 41 }, (_, i) =>
        observe(15 * i, { h100: signals(4, 30) }, { batch: { backlogTokens: backlogOf(15 * i) } }),
      ),
    ).at(-1)
  const job = 10 * 130 * 6 * hour

  it('is not charged with what leaves the backlog', () => {
    const step = running((at) => (at === 0 ? 0 : job - 1300 * at))
    expect(demandOf(step, 'chat')).toBeCloseTo(20, 0)
  })

  it('keeps all of it while the backlog stands still', () => {
    expect(
      demandOf(
        running((at) => (at === 0 ? 0 : job)),
        'chat',
      ),
    ).toBe(30)
  })

  it('loses no more than the plan gave the batch when a job is cancelled', () => {
    const step = running((at) => (at === 0 ? 0 : at < 600 ? job : job / 10))
    expect(demandOf(step, 'chat')).toBeGreaterThan(30 - 11)
  })
})
