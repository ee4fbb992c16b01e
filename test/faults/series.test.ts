// Series that are missing, doubled, left over or start anew: one policy's fault is not another's, and none is idleness or load.
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import type { Pod } from '../observe/stage.ts'
import { eventually, type FaultStage, podsOf, scrapedPods, startFaultStage } from './stage.ts'

let stage: FaultStage

beforeAll(async () => {
  stage = await startFaultStage()
})

afterEach(async () => {
  stage.prometheus.pods = scrapedPods()
  stage.prometheus.monitors = ['chat/vllm']
  await eventually(async () => (JSON.stringify(await stage.targets()) === '{"llama":3,"qwen":2}' ? true : undefined))
})

afterAll(async () => {
  await stage?.stop()
})

/** Every target that was seen while so many more ticks were published. */
async function seenFor(ticks: number): Promise<Readonly<Record<'llama' | 'qwen', readonly (number | string)[]>>> {
  const llama = new Set<number | string>()
  const qwen = new Set<number | string>()
  for (let tick = 0; tick < ticks; tick++) {
    const targets = await stage.targets()
    llama.add(targets.llama)
    qwen.add(targets.qwen)
    await stage.ticks('published', 1)
  }
  return { llama: [...llama], qwen: [...qwen] }
}

it('the series of one policy vanish: its target stands for the staleness budget, then it is unavailable; the other goes on', async () => {
  stage.prometheus.pods = podsOf('qwen', 2)
  const seen: (number | string)[] = []
  await eventually(async () => {
    const { llama, qwen } = await stage.targets()
    seen.push(llama)
    expect(qwen).toBe(2)
    return llama === 'UNAVAILABLE' ? true : undefined
  })
  expect(new Set(seen)).toEqual(new Set([3, 'UNAVAILABLE']))
  expect(await stage.metric('mixscaler_decision_status{namespace="chat",policy="llama",status="held"}')).toBe(1)
  expect(await stage.metric('mixscaler_decision_status{namespace="chat",policy="qwen",status="planned"}')).toBe(1)
  expect((await stage.get('/readyz')).status).toBe(200)
})

it('two monitors scrape the same pods: no pod and no request is counted twice, and a warning says so', async () => {
  stage.prometheus.monitors = ['chat/vllm', 'chat/vllm-service']
  await eventually(() => stage.log.find(({ msg }) => /twice|two monitors|more than once/i.test(msg)))
  expect(await seenFor(12)).toEqual({ llama: [3], qwen: [2] })
})

it('a pod dies and its series are left over: once they are too old it no longer counts', async () => {
  const counts = () => stage.metric('mixscaler_current_replicas{namespace="chat",policy="llama",variant="h100",state="ready"}')
  expect(await counts()).toBe(3)
  stage.prometheus.pods = [...podsOf('llama', 2), ...podsOf('qwen', 2)]
  await eventually(async () => ((await counts()) === 2 ? true : undefined))
  // The survivors bring no more than they brought before: two replicas' worth, and never 0.
  for (const target of (await seenFor(4)).llama) expect([2, 3]).toContain(target)
})

it('counters start anew, as when engines restart: no negative rate, no burst, the targets stay', async () => {
  const reset = (pod: Pod): Pod => ({
    ...pod,
    state: (seconds) => {
      const state = pod.state?.(seconds) ?? {}
      return { ...state, finished: (state.finished ?? 0) % 60 }
    },
  })
  stage.prometheus.pods = scrapedPods().map(reset)
  const seen = await seenFor(24)
  expect(seen).toEqual({ llama: [3], qwen: [2] })
})
