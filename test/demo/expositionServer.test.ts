import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ExpositionServer, startExpositionServer } from '../../src/demo/expositionServer.ts'
import { constantRate, renewalArrivals } from '../../src/simulation/arrivals.ts'
import { Fleet } from '../../src/simulation/fleet.ts'
import { fixedLengths } from '../../src/simulation/lengths.ts'
import { Score } from '../../src/simulation/score.ts'
import { World } from '../../src/simulation/world.ts'
import { llama8b } from '../simulation/runReplica.ts'

let server: ExpositionServer
let world: World
let now = 0

beforeAll(async () => {
  const classes = [{ name: 'chat', ttftSeconds: 1, itlSeconds: 0.05 }]
  const variant = {
    name: 'vllm-h100',
    role: 'unified' as const,
    profile: llama8b,
    maxNumSeqs: 256,
    maxNumBatchedTokens: 8192,
    kvTokens: 400_000,
    costPerHour: 3.6,
    startup: { medianSeconds: 60, sigma: 0 },
    routingWeight: 1,
    initialReplicas: 2,
  }
  const settings = { namespace: 'chat', model: 'meta-llama/Llama-3.1-8B', variants: [variant], classes }
  const fleet = new Fleet({ ...settings, routing: 'roundRobin', seed: 1 }, new Score(classes))
  const traffic = { rate: constantRate(10), lengths: fixedLengths(100, 5), seed: 1, cv: 1, classIndex: 0 }
  world = new World(fleet, renewalArrivals({ ...traffic, fromSeconds: 0, untilSeconds: 100 }))
  const advance = () => world.advance(now)
  server = await startExpositionServer({
    fleets: [fleet],
    flavour: 'v1',
    gateway: 'inferenceGateway',
    epochSeconds: 1000,
    advance,
    port: 0,
  })
})

afterAll(() => server.close())

interface Target {
  readonly targets: readonly string[]
  readonly labels: Readonly<Record<string, string>>
}

async function targets(): Promise<Target[]> {
  return (await (await fetch(server.targetsUrl)).json()) as Target[]
}

function scrape({ targets: [address], labels }: Target): Promise<Response> {
  return fetch(`http://${address}${labels['__metrics_path__']}`)
}

async function sum(metric: string, job: string): Promise<number> {
  let total = 0
  for (const target of (await targets()).filter(({ labels }) => labels['job'] === job)) {
    const text = await (await scrape(target)).text()
    for (const line of text.split('\n'))
      if (line.startsWith(`${metric}{`)) total += Number(line.split(' ').at(-1))
  }
  return total
}

describe('the simulated fleet over HTTP', () => {
  test('lists each pod for http_sd with the labels of a relabelled target', async () => {
    const [pod] = world.fleet.pods()
    const [first] = await targets()
    expect(first).toEqual({
      targets: [`127.0.0.1:${server.port}`],
      labels: {
        __metrics_path__: `/pods/chat/${pod?.name}`,
        instance: pod?.name,
        job: 'chat/vllm',
        namespace: 'chat',
        pod: pod?.name,
        llm_d_ai_variant: 'vllm-h100',
      },
    })
    expect((await targets()).map(({ labels }) => labels['job'])).toEqual([
      'chat/vllm',
      'chat/vllm',
      'kube-state-metrics',
      'gateway',
    ])
  })

  test('serves what happened up to now, summing to what arrived at the gateway', async () => {
    now = 50.5
    const finished = await sum('vllm:request_success_total', 'chat/vllm')
    const running = await sum('vllm:num_requests_running', 'chat/vllm')
    const waiting = await sum('vllm:num_requests_waiting', 'chat/vllm')
    expect(finished).toBeGreaterThan(400)
    expect(finished + running + waiting).toBe(await sum('inference_objective_request_total', 'gateway'))
  })

  test('names the owner of every pod as kube-state-metrics does', async () => {
    const [ksm] = (await targets()).filter(({ labels }) => labels['job'] === 'kube-state-metrics')
    const text = ksm === undefined ? '' : await (await scrape(ksm)).text()
    const [pod] = world.fleet.pods()
    expect(text).toContain(
      `namespace="chat",pod="${pod?.name}",owner_kind="ReplicaSet",owner_name="${pod?.name.slice(0, -6)}"`,
    )
    expect(text.match(/^kube_pod_owner\{/gm)).toHaveLength(2)
  })

  test('refuses the scrape of a pod that starts, and knows no pod that is gone', async () => {
    world.fleet.scale('vllm-h100', 3)
    const starting = (await targets())[2]
    expect(starting === undefined ? 0 : (await scrape(starting)).status).toBe(503)
    world.fleet.scale('vllm-h100', 2)
    expect(starting === undefined ? 0 : (await scrape(starting)).status).toBe(404)
    expect((await fetch(`http://127.0.0.1:${server.port}/nothing/here`)).status).toBe(404)
  })

  test('says so when its port is taken', async () => {
    const options = {
      fleets: [world.fleet],
      flavour: 'v1' as const,
      gateway: 'inferenceGateway' as const,
      epochSeconds: 0,
      advance: () => {},
    }
    await expect(startExpositionServer({ ...options, port: server.port })).rejects.toThrow('EADDRINUSE')
  })
})
