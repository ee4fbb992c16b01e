// Series that vanish, come twice, are left over or start anew: each fault in a policy of its own, all at the same time in one
// server, so that what one policy suffers is seen to stay there.
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Pod } from '../observe/stage.ts'
import { type FaultStage, podsOf, startFaultStage, type Targets } from './stage.ts'

let stage: FaultStage

beforeAll(async () => {
  const pods = { vanished: 2, doubled: 2, dead: 2, restarted: 2, untouched: 2 }
  const patient = Object.fromEntries(Object.keys(pods).map((name) => [name, 60]))
  stage = await startFaultStage({ pods, budgets: { ...patient, vanished: 1.5 } })
})

afterAll(async () => {
  await stage?.stop()
})

/** The same pods as another monitor scrapes them. */
function again(pods: readonly Pod[]): readonly Pod[] {
  return pods.map((pod) => ({ ...pod, labels: { job: 'chat/vllm-service' } }))
}

/** Engines that begin to count at their next scrape. */
function anew(pods: readonly Pod[]): readonly Pod[] {
  return pods.map((pod) => {
    let begun: number | undefined
    const state = (seconds: number) => {
      begun ??= seconds
      return { ...pod.state?.(seconds), finished: 12 * (seconds - begun) }
    }
    return { ...pod, state }
  })
}

it('faults in the series of policies: none is taken for idleness or load, and each stays with its policy', async () => {
  const doubled = podsOf('doubled', 2)
  stage.prometheus.pods = [
    ...[...doubled, ...again(doubled), ...podsOf('dead', 1)],
    ...[...anew(podsOf('restarted', 2)), ...podsOf('untouched', 2)],
  ]
  const seen: Targets[] = []
  do {
    await stage.ticks('published', 1)
    seen.push(await stage.targets())
  } while (seen.at(-1)?.['vanished'] !== 'UNAVAILABLE')
  const values = (name: string) => [...new Set(seen.map((targets) => targets[name]))]
  const of = (sample: string, policy: string, label: string) =>
    stage.metric(`mixscaler_${sample}{namespace="chat",policy="${policy}",${label}}`)
  const ready = (policy: string) => of('current_replicas', policy, 'variant="h100",state="ready"')

  // Its last target for the staleness budget, then an error.
  expect(values('vanished')).toEqual([2, 'UNAVAILABLE'])
  expect(await of('decision_status', 'vanished', 'status="held"')).toBe(1)
  expect(await ready('vanished')).toBeNaN()
  // No pod and no request counts twice.
  expect(values('doubled')).toEqual([2])
  expect(await ready('doubled')).toBe(2)
  expect(stage.log.some(({ msg }) => msg.includes('every series is there 2 times'))).toBe(true)
  // What a dead pod left behind no longer counts, and what it served is not gone at once.
  expect(values('dead')).toEqual([2])
  expect(await ready('dead')).toBe(1)
  // No negative rate, no burst.
  expect(values('restarted')).toEqual([2])
  expect(values('untouched')).toEqual([2])
  expect(await of('decision_status', 'untouched', 'status="planned"')).toBe(1)
  expect((await stage.get('/readyz')).status).toBe(200)
})
