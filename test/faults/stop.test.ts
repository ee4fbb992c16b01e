// The server as a process that is told to end while it is busy, or is ended in the middle of a tick.
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { requirePolicies } from '../../src/cli/policies.ts'
import { type KedaClient, kedaClient } from '../../src/demo/kedaProtocol.ts'
import { type RealScaler, startScaler } from '../stage/scaler.ts'
import {
  honestly,
  type PlayedPrometheus,
  playPrometheus,
  sampleMaxAgeSeconds,
  windowSeconds,
} from './prometheus.ts'
import { eventually, podsOf, refOf, targetsFrom, writePolicies } from './stage.ts'

let directory: string
let prometheus: PlayedPrometheus
const scalers: RealScaler[] = []
const clients: KedaClient[] = []

beforeEach(async () => {
  directory = writePolicies({ llama: 20 })
  prometheus = await playPrometheus((await requirePolicies(directory)).policies, podsOf('llama', 2))
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  for (const scaler of scalers.splice(0)) scaler.kill()
  await prometheus.close()
  rmSync(directory, { recursive: true, force: true })
})

async function serving(): Promise<{ readonly scaler: RealScaler; readonly client: KedaClient }> {
  const flags = [
    '--policy',
    directory,
    '--prometheus',
    prometheus.url,
    '--kubernetes',
    'off',
    '--interval',
    '3s',
    '--evaluation-delay',
    '1s',
  ]
  const windows = ['--window', `${windowSeconds}s`, '--max-sample-age', `${sampleMaxAgeSeconds}s`]
  const scaler = await startScaler([...flags, ...windows])
  const client = kedaClient(scaler.grpcAddress)
  scalers.push(scaler)
  clients.push(client)
  return { scaler, client }
}

/** Every answer until there is a target; the last one is it. */
async function answersUntilTarget(client: KedaClient): Promise<readonly (number | string | undefined)[]> {
  const answers: (number | string | undefined)[] = []
  return eventually(async () => {
    const { llama } = await targetsFrom(client, ['llama'])
    answers.push(llama)
    return typeof llama === 'number' ? answers : undefined
  })
}

it('SIGTERM under load: calls are answered rightly or not at all, streams end with OK, and the end is 0', async () => {
  const { scaler, client } = await serving()
  await answersUntilTarget(client)
  const stream = client.streamIsActive(refOf('llama'))
  const streamEnd = new Promise<number>((resolve) => stream.on('status', ({ code }) => resolve(code)))
  stream.on('data', () => undefined)
  stream.on('error', () => undefined)
  const answers: (number | string | undefined)[] = []
  let calling = true
  const callers = Array.from({ length: 20 }, async () => {
    while (calling) answers.push((await targetsFrom(client, ['llama']))['llama'])
  })
  await eventually(() => (answers.length >= 100 ? true : undefined))
  const exitCode = await scaler.stop()
  calling = false
  await Promise.all(callers)
  expect(exitCode).toBe(0)
  expect(await streamEnd).toBe(0)
  expect([...new Set(answers)].filter((answer) => answer !== 'UNAVAILABLE')).toEqual([2])
})

it('SIGKILL in a tick: after a restart there is an error and then the same target, no smaller one', async () => {
  const first = await serving()
  expect((await answersUntilTarget(first.client)).at(-1)).toBe(2)
  prometheus.mood = () => undefined
  const asked = prometheus.asked()
  await eventually(() => (prometheus.asked() > asked ? true : undefined))
  first.scaler.kill()
  await sleep(50)
  prometheus.mood = honestly
  const second = await serving()
  const answers = await answersUntilTarget(second.client)
  expect([...new Set(answers)].filter((answer) => answer !== 'UNAVAILABLE')).toEqual([2])
  expect(second.scaler.log.filter(({ msg }) => String(msg).startsWith('not read back'))).toEqual([])
})
