// The API of Kubernetes goes away under a running server, or forgets its history: counts stand, decisions go on.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type FakeApi, startFakeApi } from '../kubernetes/fakeApi.ts'
import { deploymentPod, gpuNode } from '../kubernetes/objects.ts'
import { eventually, type FaultStage, startFaultStage } from './stage.ts'

let api: FakeApi
let directory: string
let stage: FaultStage

beforeAll(async () => {
  api = await startFakeApi()
  const path = '/apis/apps/v1/namespaces/chat/deployments/vllm-llama/scale'
  api.bodies.set(path, { kind: 'Scale', spec: { replicas: 3 }, status: { selector: 'app=vllm' } })
  for (const suffix of ['g', 'h', 'j'])
    api.put('pods', deploymentPod('vllm-llama', suffix, { ready: suffix !== 'j' }))
  api.put('nodes', gpuNode('node-1', 'NVIDIA-H100-80GB-HBM3', { 'nvidia.com/gpu': '8' }))
  directory = mkdtempSync(join(tmpdir(), 'mixscaler-faults-kubernetes-'))
  const kubeconfig = join(directory, 'kubeconfig')
  writeFileSync(kubeconfig, api.config.exportConfig())
  stage = await startFaultStage({ pods: { llama: 3 }, kubeconfig })
})

afterAll(async () => {
  await stage?.stop()
  await api?.close()
  rmSync(directory, { recursive: true, force: true })
})

const count = (state: string) =>
  stage.metric(`mixscaler_current_replicas{namespace="chat",policy="llama",variant="h100",state="${state}"}`)

it('an API that is gone: the last counts stand, decisions go on, the server stays up; back again, a watch whose past is forgotten (410) lists anew', async () => {
  expect([await count('ready'), await count('starting')]).toEqual([2, 1])
  const before = await stage.targets()
  expect(before).toEqual({ llama: 3 })
  api.behave({ kind: 'down' })
  await eventually(() => stage.log.find(({ level, msg }) => level === 'warn' && /fails/.test(msg)))
  await stage.ticks('published', 3)
  expect(await stage.targets()).toEqual(before)
  expect([await count('ready'), await count('starting')]).toEqual([2, 1])
  expect((await stage.get('/readyz')).status).toBe(200)
  // Meanwhile the pod became ready, and the API forgot that it did.
  api.put('pods', deploymentPod('vllm-llama', 'j'))
  api.compact()
  api.behave({ kind: 'normal' })
  await eventually(async () => ((await count('ready')) === 3 ? true : undefined))
  expect(await stage.targets()).toEqual(before)
})
