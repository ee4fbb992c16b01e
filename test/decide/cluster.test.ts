// What Kubernetes says about replicas, told as stories: pods that find no node, starts that take too long, rolling
// updates, paused ScaledObjects, and pins.
import { describe, expect, it } from 'vitest'
import type { Observation, Pause, ReplicaCounts } from '../../src/core/observation.ts'
import { sentence } from '../../src/core/sentence.ts'
import { behavior } from '../behavior.ts'
import { observe, policy, policySet, signals, story, variant, variantOf } from './world.ts'

const noGpu = '0/3 nodes are available: 3 Insufficient nvidia.com/gpu'

/** Counts with so many replicas that find no node since this second. */
function counts(ready: number, pending = 0, since = 0): ReplicaCounts {
  return {
    desired: ready + pending,
    ready,
    starting: pending,
    terminating: 0,
    ...(pending === 0
      ? {}
      : {
          startingSince: Array.from({ length: pending }, () => since),
          unschedulable: { replicas: pending, since, why: noGpu },
        }),
  }
}

/** Cheap replicas that may run out, and dear ones in a pool of their own. */
const cheap = variant('cheap', { costPerHour: 2, pool: 'spot', replicas: { min: 1, max: 10 } })
const dear = variant('dear', { costPerHour: 8, replicas: { min: 0, max: 10 } })
const both = policySet([policy([cheap, dear])])

const reasonsOf = (step: Parameters<typeof variantOf>[0], name: string): string =>
  variantOf(step, name).reasons.map(sentence).join('; ')

describe('replicas that find no node', () => {
  const load = 150
  const at = (second: number, replicas: ReplicaCounts, dearReady = 0): Observation =>
    observe(second, {
      cheap: signals(replicas.ready, load * (replicas.ready / (replicas.ready + dearReady)), { replicas }),
      dear: signals(dearReady, load * (dearReady / (replicas.ready + dearReady))),
    })

  it('are waited for as long as a start takes, and not ordered twice', () => {
    const steps = story(both, [at(0, counts(2)), at(60, counts(2, 2, 15)), at(180, counts(2, 2, 15))])
    const ordered = variantOf(steps[0], 'cheap').target
    expect(ordered).toBe(4)
    for (const step of steps) {
      expect(variantOf(step, 'cheap').target).toBe(ordered)
      expect(variantOf(step, 'dear').target).toBe(0)
    }
  })

  it('then say that the pool is full: others are ordered instead, and they stay asked for', () => {
    const steps = story(both, [at(0, counts(2)), at(60, counts(2, 2, 15)), at(210, counts(2, 2, 15))])
    const last = steps.at(-1)
    expect(variantOf(last, 'dear').target).toBe(2)
    expect(variantOf(last, 'cheap')).toMatchObject({ wanted: 2, target: 4 })
    expect(reasonsOf(last, 'cheap')).toContain(
      `2 replicas found no node for 3 min (${noGpu}): planned around until one is free`,
    )
    expect(reasonsOf(last, 'cheap')).not.toContain('maximum')
  })

  it('are counted again once they are scheduled, and the stopgap goes when they are ready', () => {
    const scheduled: ReplicaCounts = { ...counts(2), desired: 4, starting: 2, startingSince: [15, 15] }
    const steps = story(both, [
      at(0, counts(2)),
      at(210, counts(2, 2, 15)),
      at(225, scheduled, 2), // a node came
      at(420, counts(4), 2), // and they serve
    ])
    expect(variantOf(steps[2], 'cheap')).toMatchObject({ wanted: 4, target: 4 })
    expect(variantOf(steps[2], 'dear').target).toBe(2) // nothing goes before what replaces it is ready
    expect(variantOf(steps[3], 'dear').target).toBe(0)
  })

  it('are found full by a server that has just started: the observation says it all', () => {
    const [fresh] = story(both, [at(210, counts(2, 2, 15))])
    expect(variantOf(fresh, 'dear').target).toBe(2)
    expect(variantOf(fresh, 'cheap')).toMatchObject({ wanted: 2, target: 4 })
  })

  it('are given back once the demand does not want them any more', () => {
    const quiet = (second: number) =>
      observe(second, { cheap: signals(2, 30, { replicas: counts(2, 2, 15) }), dear: signals(0, 0) })
    const steps = story(both, [quiet(210), quiet(330), quiet(345)])
    expect(variantOf(steps.at(-1), 'cheap').target).toBe(1)
  })

  it('do not lower what is asked for below the minimum', () => {
    const three = variant('cheap', { ...cheap, replicas: { min: 3, max: 10 } })
    const [step] = story(policySet([policy([three, dear])]), [at(210, counts(1, 1, 15))])
    expect(variantOf(step, 'cheap')).toMatchObject({ wanted: 1, target: 3 })
    expect(Number(variantOf(step, 'dear').target)).toBeGreaterThan(0)
  })

  it('of a large kind leave the pool to smaller ones', () => {
    const large = variant('large', {
      pool: 'spot',
      accelerator: { type: 'h100', countPerReplica: 8 },
      costPerHour: 8,
      replicas: { min: 1, max: 4 },
    })
    const small = variant('small', { pool: 'spot', costPerHour: 20, replicas: { min: 0, max: 9 } })
    const [step] = story(policySet([policy([large, small])]), [
      observe(210, {
        large: signals(1, 100, { replicas: counts(1, 2, 0) }),
        small: signals(0, 0),
      }),
    ])
    expect(variantOf(step, 'large')).toMatchObject({ wanted: 1, target: 3 })
    expect(variantOf(step, 'small').target).toBeGreaterThan(0)
  })

  it('never make targets that add up to more than a pool is known to have', () => {
    const pools = [{ name: 'spot', gpus: 3 }]
    const steps = story(policySet([policy([cheap, dear])], pools), [
      at(30, counts(2, 3, 15)),
      at(210, counts(2, 3, 15)),
    ])
    expect(variantOf(steps[1], 'cheap').target).toBe(3)
  })
})

describe('a start that takes too long', () => {
  const replicas = (since: number): ReplicaCounts => ({
    desired: 4,
    ready: 2,
    starting: 2,
    terminating: 0,
    startingSince: [since, 250],
  })
  const at = (since: number) =>
    observe(300, { cheap: signals(2, 150, { replicas: replicas(since) }), dear: signals(0, 0) })

  it('is counted on for half as long again as the policy says', () => {
    const [step] = story(both, [at(300 - 270)])
    expect(variantOf(step, 'dear').target).toBe(0)
  })

  it('is then not counted on: something else is ordered, and nothing more of the same', () => {
    const [step] = story(both, [at(300 - 271)])
    expect(variantOf(step, 'cheap')).toMatchObject({ wanted: 3, target: 4 })
    expect(variantOf(step, 'dear').target).toBe(1)
    expect(reasonsOf(step, 'cheap')).toContain('1 replica not ready 5 min after the start: not counted on')
  })
})

describe('a rolling update', () => {
  const one = policySet([policy([variant('h100')])])
  /** 4 asked for; one more pod for a while, old ones on their way out. */
  const phases: readonly ReplicaCounts[] = [
    { desired: 4, ready: 4, starting: 1, terminating: 0, startingSince: [0] },
    { desired: 4, ready: 5, starting: 0, terminating: 0 },
    { desired: 4, ready: 4, starting: 0, terminating: 1 },
    { desired: 4, ready: 4, starting: 1, terminating: 1, startingSince: [90] },
    { desired: 4, ready: 3, starting: 1, terminating: 1, startingSince: [90] },
    { desired: 4, ready: 4, starting: 0, terminating: 0 },
  ]

  it('changes no target, whichever pods it counts, also for a server that starts in the middle of it', () => {
    const observations = phases.map((replicas, i) =>
      observe(15 * i, { h100: signals(replicas.ready, 150, { replicas }) }),
    )
    for (const step of story(one, observations)) expect(variantOf(step, 'h100').target).toBe(4)
    for (const observation of observations) {
      const [fresh] = story(one, [observation])
      expect(variantOf(fresh, 'h100').target).toBe(4)
    }
  })

  it('is not scaled down into while its extra pods are there', () => {
    const quiet = phases.map((replicas, i) =>
      observe(200 + 15 * i, { h100: signals(replicas.ready, 20, { replicas }) }),
    )
    const start = observe(0, { h100: signals(4, 20) })
    for (const step of story(one, [start, ...quiet])) {
      expect(Number(variantOf(step, 'h100').target)).toBeLessThanOrEqual(4)
    }
  })

  it('keeps the GPUs of pods on their way out from being promised to others', () => {
    const pool = [{ name: 'h100', gpus: 6 }]
    const two = policySet(
      [policy([variant('h100'), variant('other', { replicas: { min: 1, max: 9 } })])],
      pool,
    )
    const leaving = { desired: 3, ready: 3, starting: 0, terminating: 2 }
    const [step] = story(two, [
      observe(0, { h100: signals(3, 150, { replicas: leaving }), other: signals(1, 80) }),
    ])
    const sum = Number(variantOf(step, 'h100').target) + Number(variantOf(step, 'other').target)
    expect(sum + 2).toBeLessThanOrEqual(6)
  })
})

describe('a paused ScaledObject', () => {
  const at = (second: number, load: number, pause: Pause, cheapReady = 3, dearReady = 0): Observation => {
    const total = cheapReady + dearReady
    return {
      ...observe(second, {
        cheap: signals(cheapReady, (load * cheapReady) / total),
        dear: signals(dearReady, (load * dearReady) / total),
      }),
      pauses: { [cheap.id]: pause },
    }
  }

  it('holds where it is, and others are planned around it', () => {
    const [busy] = story(both, [at(0, 250, { stops: 'all' })])
    expect(variantOf(busy, 'cheap').target).toBe(3)
    expect(Number(variantOf(busy, 'dear').target)).toBeGreaterThan(0)
    expect(reasonsOf(busy, 'cheap')).toContain(
      'paused by an annotation of its ScaledObject at 3: planned around',
    )
    const quiet = story(both, [at(0, 20, { stops: 'all' }, 3, 1), at(200, 20, { stops: 'all' }, 3, 1)])
    expect(variantOf(quiet[1], 'cheap').target).toBe(3)
    expect(variantOf(quiet[1], 'dear').target).toBe(0)
  })

  it('with paused-replicas is planned at that count, whatever the policy’s bounds', () => {
    const [step] = story(both, [at(0, 250, { stops: 'all', replicas: 0 })])
    expect(variantOf(step, 'cheap')).toMatchObject({ wanted: 0 })
    expect(Number(variantOf(step, 'dear').target)).toBeGreaterThanOrEqual(5)
  })

  it('with scale-in stopped grows and does not shrink; with scale-out stopped the other way round', () => {
    const growing = story(both, [at(0, 250, { stops: 'scaleIn' })])
    expect(Number(variantOf(growing[0], 'cheap').target)).toBeGreaterThan(3)
    const kept = story(both, [at(0, 20, { stops: 'scaleIn' }), at(200, 20, { stops: 'scaleIn' })])
    expect(variantOf(kept[1], 'cheap').target).toBe(3)
    const capped = story(both, [at(0, 250, { stops: 'scaleOut' })])
    expect(variantOf(capped[0], 'cheap').target).toBe(3)
    expect(Number(variantOf(capped[0], 'dear').target)).toBeGreaterThan(0)
    const shrunk = story(both, [at(0, 20, { stops: 'scaleOut' }), at(200, 20, { stops: 'scaleOut' })])
    expect(variantOf(shrunk[1], 'cheap').target).toBe(1)
  })

  it('goes back to the plan when the pause ends', () => {
    const steps = story(both, [
      at(0, 250, { stops: 'all' }),
      { ...at(15, 250, { stops: 'all' }), pauses: {} },
    ])
    expect(Number(variantOf(steps[1], 'cheap').target)).toBeGreaterThanOrEqual(5)
  })
})

describe('a pin', () => {
  it('of min = max is kept at any load, without a hold on the way up', () => {
    const pinned = policySet([
      policy([variant('pinned', { replicas: { min: 5, max: 5 } }), variant('h100')], {
        behavior: { ...behavior, hpaTolerance: 0.1 },
      }),
    ])
    const steps = story(
      pinned,
      [0, 15, 200, 215].map((at) =>
        observe(at, { pinned: signals(at < 15 ? 2 : 5, at < 200 ? 2 : 200), h100: signals(1, 1) }),
      ),
    )
    for (const step of steps) expect(variantOf(step, 'pinned').target).toBe(5)
  })
})
