// How what was learnt enters the decision: sized by corrected profiles and learnt headroom, said in reasons, remembered
// per variant and class, and not at all where the policy switches it off.
import { describe, expect, it } from 'vitest'
import { type Decided, decide } from '../../src/core/decide.ts'
import type { Histogram } from '../../src/core/histogram.ts'
import type { Observation, VariantSignals } from '../../src/core/observation.ts'
import type { Behavior } from '../../src/core/policy.ts'
import { isMissing, missing } from '../../src/core/reading.ts'
import { sentence } from '../../src/core/sentence.ts'
import type { State } from '../../src/core/state.ts'
import { behavior } from '../behavior.ts'
import { h100, observe, policy, policySet, signals, story, tools, variant, variantOf } from './world.ts'

/** Late tokens and first tokens as shares. */
function itl(lateShare: number): Histogram {
  return { upperBounds: [0.05], perSecond: [100 * (1 - lateShare), 100 * lateShare], sumPerSecond: 1 }
}

function fleet(learn: Behavior['learn'] = behavior.learn) {
  return policySet([
    policy([variant('h100'), variant('spare', { replicas: { min: 1, max: 9 } })], {
      behavior: { ...behavior, learn },
    }),
  ])
}

/** So many minutes of this, a tick every 15 s. */
function minutes(count: number, of: (at: number) => Record<string, VariantSignals>): readonly Observation[] {
  return Array.from({ length: 4 * count }, (_, i) => observe(15 * i, of(15 * i)))
}

const ready = { ready: 3, rate: 90 }
const serving = (changes: Partial<VariantSignals>) => ({
  h100: signals(ready.ready, ready.rate, changes),
  spare: signals(1, 0),
})

function chatOf(step: Decided | undefined) {
  const chat = step?.decision.policies[0]?.classes[0]
  if (chat === undefined) throw new Error('no class')
  return chat
}

function reasonsOf(step: Decided | undefined): readonly string[] {
  return step?.decision.policies[0]?.reasons.map(sentence) ?? []
}

describe('headroom that was learnt', () => {
  it('raises what is planned for after minutes in which the SLO was broken, and says so', () => {
    const last = story(
      fleet(),
      minutes(20, () => serving({ itl: itl(0.3) })),
    ).at(-1)
    const { headroom, plannedFor, demand } = chatOf(last)
    expect(headroom.verdict).toBe('tooFew')
    expect(headroom.broken).toBeCloseTo(0.25 / 0.95, 6)
    expect(headroom.learnt).toBeGreaterThan(0.05)
    expect(headroom.planned).toBeCloseTo(0.1 + headroom.learnt, 9)
    expect(plannedFor).toBeGreaterThanOrEqual(Number(demand) * (1 + headroom.planned) - 1e-9)
    expect(reasonsOf(last)).toContainEqual(
      expect.stringMatching(/^headroom of chat is \d+ %: \d+ % more than the policy's, as its requests keep/),
    )
    expect(last?.state.classes['chat/llama/chat']?.headroom?.learnt).toBeGreaterThan(0.05)
  })

  it('learns nothing while what is planned is not ready, and says what requests wait for', () => {
    const few = () => ({ h100: signals(1, 90, { itl: itl(0.6) }), spare: signals(1, 0) })
    const last = story(fleet(), minutes(10, few)).at(-1)
    expect(chatOf(last).headroom).toMatchObject({ verdict: 'notReady', learnt: 0 })
    expect(reasonsOf(last)).toContain(
      '58 % of chat broke its SLO in the last minute: what is planned for is not ready',
    )
  })

  it('looks for a broken pod where engines have little to do', () => {
    const idle = () => ({ h100: signals(9, 10, { itl: itl(0.3) }), spare: signals(1, 0) })
    const last = story(fleet(), minutes(10, idle)).at(-1)
    expect(chatOf(last).headroom).toMatchObject({ verdict: 'belowCapacity', learnt: 0 })
    expect(reasonsOf(last)).toContain(
      '26 % of chat broke its SLO in the last minute on engines with little to do: look for a broken one',
    )
  })

  it('is the policy alone where it is switched off', () => {
    const off = fleet({ headroom: 'off', speed: 'off' })
    const last = story(
      off,
      minutes(20, () => serving({ itl: itl(0.3) })),
    ).at(-1)
    expect(chatOf(last).headroom).toMatchObject({ planned: 0.1, learnt: 0, verdict: 'off' })
    expect(last?.state.classes['chat/llama/chat']).not.toHaveProperty('headroom')
    expect(last?.state.variants['chat/llama/h100']).not.toHaveProperty('speed')
  })
})

describe('headroom that was given back', () => {
  it('makes sizing more lenient, the same whenever the tick is repeated', () => {
    const kept = minutes(20, () => serving({ itl: itl(0) }))
    const before = story(fleet(), kept).at(-1)
    const id = 'chat/llama/chat'
    const memory = before?.state.classes[id]?.headroom
    const observation = kept.at(-1)
    if (before === undefined || memory === undefined || observation === undefined)
      throw new Error('no memory')
    const after = { ...observation, at: observation.at + 15 }
    const from = (learnt: number): State => ({
      ...before.state,
      classes: {
        ...before.state.classes,
        [id]: { ...before.state.classes[id], headroom: { ...memory, learnt } },
      },
    })
    const carried = (step: Decided): number => {
      const capacity = step.decision.policies[0]?.variants.find(({ name }) => name === 'h100')?.capacity[
        'chat'
      ]
      return capacity?.kind === 'feasible' ? capacity.requestsPerSecond : 0
    }
    const strict = decide(fleet(), from(0), after, tools)
    const given = decide(fleet(), from(-0.1), after, tools)
    expect(carried(given)).toBeGreaterThan(1.01 * carried(strict))
    expect(decide(fleet(), given.state, after, tools).decision).toEqual(given.decision)
    expect(carried(decide(fleet({ headroom: 'off', speed: 'off' }), from(-0.1), after, tools))).toBe(
      carried(strict),
    )
  })
})

describe('speed that was learnt', () => {
  /** Engines that take half as long again for 20 sequences as the profile's 8 ms or so. */
  const slow: Partial<VariantSignals> = (() => {
    const gapsPerSecond = 20 / 0.0135
    const firstTokensPerSecond = gapsPerSecond / 129
    const all = (perSecond: number): Histogram => ({
      upperBounds: [1],
      perSecond: [3 * perSecond, 0],
      sumPerSecond: 1,
    })
    return {
      running: 60,
      generationTokensPerSecond: 3 * (gapsPerSecond + firstTokensPerSecond),
      itl: all(gapsPerSecond),
      ttft: all(firstTokensPerSecond),
      typicalEngine: {
        gapsPerSecond,
        gapSecondsPerSecond: 20,
        firstTokensPerSecond,
        ttftSecondsPerSecond: 0.03 * firstTokensPerSecond,
      },
    }
  })()

  it('lowers what a replica is sized for, of the variant that was measured and of no other', () => {
    const steps = story(
      fleet(),
      minutes(20, () => serving(slow)),
    )
    const [first, last] = [steps[0], steps.at(-1)]
    const capacity = (step: Decided | undefined, name: string): number => {
      const found = variantOf(step, name).capacity['chat']
      return found?.kind === 'feasible' ? found.requestsPerSecond : 0
    }
    expect(capacity(last, 'h100')).toBeLessThan(0.85 * capacity(first, 'h100'))
    // More replicas of it pool; none is slower.
    expect(capacity(last, 'spare')).toBeGreaterThanOrEqual(capacity(first, 'spare'))
    const { speed, reasons } = variantOf(last, 'h100')
    if (isMissing(speed)) throw new Error('no speed')
    expect(speed.ratio).toBeGreaterThan(1.3)
    expect(variantOf(last, 'spare').speed).toEqual({ missing: 'idle', detail: '0 of 5 samples' })
    expect(reasons.map(sentence)).toContainEqual(
      expect.stringMatching(/^\d\d % slower than its profile policy since 00:\d\d UTC$/),
    )
    expect(h100.a).toBe(6.58)
  })

  it('is kept while the variant cannot be seen', () => {
    const seen = minutes(12, () => serving(slow))
    const steps = story(fleet(), [
      ...seen,
      observe(720, {
        h100: signals(3, 40, { completionsPerSecond: missing('stale') }),
        spare: signals(1, 0),
      }),
    ])
    const before = steps.at(-2)?.state.variants['chat/llama/h100']?.speed
    expect(before?.learnt?.ratio).toBeGreaterThan(1.1)
    expect(steps.at(-1)?.state.variants['chat/llama/h100']?.speed).toEqual(before)
  })
})
