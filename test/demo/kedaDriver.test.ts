import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Publication, TargetAnswer } from '../../src/core/publication.ts'
import {
  type DriverEvent,
  type KedaDriver,
  kedaDriver,
  type ScaledObject,
} from '../../src/demo/kedaDriver.ts'
import { kedaClient } from '../../src/demo/kedaProtocol.ts'
import { type GrpcServer, startGrpcServer } from '../../src/grpc/server.ts'
import { defaultScaleDown, defaultScaleUp } from '../../src/simulation/hpa.ts'

/** The scaler's side: what it would answer now, and a way to say that it changed. */
let answer: TargetAnswer
const listeners = new Set<() => void>()
const publication: Publication = {
  target: ({ policy, variant }) => (policy === 'llama' && variant === 'h100' ? answer : { kind: 'unknown' }),
  subscribe: (listener) => {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  },
}

const scaledObject: ScaledObject = {
  ref: { name: 'llama-h100', namespace: 'chat', scalerMetadata: { policy: 'llama', variant: 'h100' } },
  trigger: 'external',
  scaleTarget: 'vllm-llama-h100',
  pollingIntervalSeconds: 30,
  cooldownSeconds: 300,
  minReplicas: 0,
  maxReplicas: 16,
  behavior: {
    scaleUp: { ...defaultScaleUp, tolerance: 0 },
    scaleDown: { ...defaultScaleDown, stabilizationWindowSeconds: 0, tolerance: 0 },
  },
}

let server: GrpcServer
let driver: KedaDriver | undefined
let replicas = 0
let events: DriverEvent[] = []

beforeEach(async () => {
  answer = { kind: 'target', replicas: 0, at: 0 }
  replicas = 0
  events = []
  const timings = { heartbeatMilliseconds: 50, minIntervalMilliseconds: 20 }
  server = await startGrpcServer({ publication, address: '127.0.0.1', port: 0, reflection: 'off', timings })
})

afterEach(async () => {
  driver?.close()
  await server.stop(200)
})

function drive(overrides: Partial<ScaledObject> = {}): KedaDriver {
  driver = kedaDriver({
    client: kedaClient(`127.0.0.1:${server.port}`),
    scaledObjects: [{ ...scaledObject, ...overrides }],
    scale: {
      get: () => ({ spec: replicas, status: replicas }),
      set: (_target, wanted) => {
        replicas = wanted
      },
    },
    syncPeriodSeconds: 15,
    toleranceRule: 'perDirection',
    report: (event) => void events.push(event),
  })
  return driver
}

/** Replicas at the end of each of these seconds. */
async function replicasAt(steps: KedaDriver, seconds: readonly number[]): Promise<number[]> {
  const seen: number[] = []
  for (const second of seconds) {
    await steps.step(second)
    seen.push(replicas)
  }
  return seen
}

describe('KEDA and the HPA in front of the scaler', () => {
  test('activate at the next poll, then grow by the sync, as fast as the rate policies allow', async () => {
    const steps = drive()
    expect(await replicasAt(steps, [0, 15])).toEqual([0, 0])
    answer = { kind: 'target', replicas: 7, at: 15 }
    // Activated by the poll at 30; the HPA was off until then and grows by 4, then to the target.
    expect(await replicasAt(steps, [20, 29, 30, 44, 45, 60])).toEqual([0, 0, 5, 5, 7, 7])
    expect(events).toEqual([
      { kind: 'scaled', by: 'keda', target: 'vllm-llama-h100', from: 0, to: 1 },
      { kind: 'scaled', by: 'hpa', target: 'vllm-llama-h100', from: 1, to: 5 },
      { kind: 'scaled', by: 'hpa', target: 'vllm-llama-h100', from: 5, to: 7 },
    ])
  })

  test('rest at 1 when the target is 0, and go to 0 once the cooldown since the last activity is over', async () => {
    const steps = drive()
    answer = { kind: 'target', replicas: 3, at: 0 }
    expect(await replicasAt(steps, [0, 15, 30])).toEqual([3, 3, 3])
    answer = { kind: 'target', replicas: 0, at: 30 }
    expect(await replicasAt(steps, [45, 60, 330, 331, 361])).toEqual([1, 1, 1, 1, 0])
  })

  test('hold while the scaler refuses to answer, and say why', async () => {
    const steps = drive()
    answer = { kind: 'target', replicas: 4, at: 0 }
    await replicasAt(steps, [0, 15])
    answer = { kind: 'unavailable', why: 'the last decision is too old' }
    expect(await replicasAt(steps, [30, 45, 400, 800])).toEqual([4, 4, 4, 4])
    const failures = events.filter((event) => event.kind === 'failed')
    expect(new Set(failures.map(({ by }) => by))).toEqual(new Set(['keda', 'hpa']))
    expect(failures[0]?.why).toContain('UNAVAILABLE')
  })

  test('hold when the scaler is gone, and follow it again when it is back', async () => {
    const steps = drive()
    answer = { kind: 'target', replicas: 2, at: 0 }
    await replicasAt(steps, [0])
    const { port } = server
    await server.stop(0)
    expect(await replicasAt(steps, [15, 30])).toEqual([2, 2])
    server = await startGrpcServer({ publication, address: '127.0.0.1', port, reflection: 'off' })
    answer = { kind: 'target', replicas: 5, at: 30 }
    // The connection comes back by itself, some time after the server does.
    let second = 30
    const follow = async () => {
      second += 15
      return (await replicasAt(steps, [second]))[0]
    }
    await expect.poll(follow, { timeout: 10_000 }).toBe(5)
  })

  test('with external-push, activate without waiting for the poll', async () => {
    const steps = drive({ trigger: 'external-push' })
    expect(await replicasAt(steps, [0, 1])).toEqual([0, 0])
    answer = { kind: 'target', replicas: 3, at: 1 }
    for (const listener of listeners) listener()
    await expect.poll(async () => (await replicasAt(steps, [2]))[0], { timeout: 5_000 }).toBe(1)
    expect(events[0]).toMatchObject({ by: 'keda', from: 0, to: 1 })
  })
})
