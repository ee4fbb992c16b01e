// A Deployment is rolled while it serves: its pods of two ReplicaSets, as the API shows them every 15 s, counted, decided on and
// handed through the HPA. The surge is no load and no growth: what is asked for stays what it was.
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { decide } from '../../src/core/decide.ts'
import { isMissing } from '../../src/core/reading.ts'
import { emptyState } from '../../src/core/state.ts'
import type { Pod } from '../../src/kubernetes/objects.ts'
import { podFacts } from '../../src/kubernetes/pods.ts'
import { replicaCounts } from '../../src/kubernetes/replicas.ts'
import {
  defaultScaleDown,
  defaultScaleUp,
  type HpaState,
  hpaStart,
  hpaSync,
} from '../../src/simulation/hpa.ts'
import { observe, policy, policySet, signals, tools, variant, variantOf } from '../decide/world.ts'
import { pod } from './objects.ts'

const set = policySet([policy([variant('h100', { startupSeconds: 60, replicas: { min: 1, max: 40 } })])])
const begin = Date.UTC(2026, 2, 1, 12) / 1000
const [startSeconds, drainSeconds] = [45, 30]

interface Rolled {
  readonly name: string
  readonly hash: 'old' | 'new'
  readonly createdAt: number
  readonly deletedAt: number
}

/** Kubernetes' own way: `surge` new ones at a time, an old one is deleted for each that is ready. */
function rollOf(replicas: number, surge: number): readonly Rolled[] {
  return Array.from({ length: replicas }, (_, i): Rolled[] => {
    const createdAt = begin + 120 + Math.floor(i / surge) * startSeconds
    return [
      { name: `old-${i}`, hash: 'old', createdAt: begin - 3600, deletedAt: createdAt + startSeconds },
      { name: `new-${i}`, hash: 'new', createdAt, deletedAt: Infinity },
    ]
  }).flat()
}

function podsAt(roll: readonly Rolled[], at: number): readonly Pod[] {
  return roll
    .filter(({ createdAt, deletedAt }) => createdAt <= at && at < deletedAt + drainSeconds)
    .map(({ name, hash, createdAt, deletedAt }) =>
      pod(`vllm-${hash}-${name}`, {
        created: new Date(createdAt * 1000).toISOString(),
        ready: at >= createdAt + startSeconds,
        deleted: at >= deletedAt,
        labels: { app: 'vllm', 'pod-template-hash': hash },
        owner: { kind: 'ReplicaSet', name: `vllm-${hash}` },
      }),
    )
}

test('pods of a rolling update, one or all at a time, leave the target and the HPA where they were', () => {
  let surged = 0
  fc.assert(
    fc.property(fc.integer({ min: 30, max: 1_200 }), fc.integer({ min: 1, max: 12 }), (load, most) => {
      const [step] = [decide(set, emptyState, observe(begin, { h100: signals(1, load) }), tools)]
      const replicas = Number(variantOf(step, 'h100').wanted)
      const roll = rollOf(replicas, Math.min(most, replicas))
      let state = emptyState
      let hpa: HpaState = hpaStart
      let spec = replicas
      for (let at = begin; at < begin + 240 + replicas * startSeconds; at += 15) {
        const facts = podsAt(roll, at)
          .map(podFacts)
          .filter((fact) => fact !== undefined)
        const counts = replicaCounts(spec, facts)
        if (counts.ready + counts.starting > spec) surged += 1
        const seen = signals(counts.ready + counts.terminating, load, { replicas: counts })
        const decided = decide(set, state, observe(at, { h100: seen }), tools)
        state = decided.state
        const { target } = variantOf(decided, 'h100')
        expect(target).toBe(replicas)
        const synced = hpaSync(
          {
            minReplicas: 1,
            maxReplicas: 40,
            behavior: {
              scaleUp: { ...defaultScaleUp, tolerance: 0 },
              scaleDown: { ...defaultScaleDown, stabilizationWindowSeconds: 0, tolerance: 0 },
            },
            toleranceRule: 'perDirection',
          },
          hpa,
          {
            atSeconds: at,
            specReplicas: spec,
            statusReplicas: counts.ready + counts.starting,
            metric: isMissing(target) ? 'failed' : target,
            target: 1,
          },
        )
        hpa = synced.state
        spec = synced.replicas
        expect(spec).toBe(replicas)
      }
    }),
    { numRuns: 12 },
  )
  expect(surged).toBeGreaterThan(30)
})
