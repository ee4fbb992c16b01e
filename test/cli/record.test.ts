// What `record` saves can be planned on later, and holds no secret.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { stubPrometheus } from './prometheus.ts'
import { mixscaler, scratch } from './run.ts'

const directory = scratch()
const prometheus = await stubPrometheus('empty')
afterAll(() => {
  prometheus.close()
  rmSync(directory, { recursive: true, force: true })
})

test('a recording can be planned on, and names neither addresses nor credentials', async () => {
  const token = join(directory, 'token')
  const recording = join(directory, 'observation.json')
  writeFileSync(token, 'token-4711\n')
  const live = [
    '-p',
    'policies/smallest.yaml',
    '--prometheus',
    prometheus.url,
    '--kubernetes',
    'off',
    '--at=-1m',
  ]
  const credentials = [
    '--prometheus-token-file',
    token,
    '--prometheus-header',
    'X-Key=key-4712',
    '--prometheus-org-id',
    'tenant-4713',
  ]
  const recorded = await mixscaler('record', ...live, ...credentials, '--to', recording)
  expect([recorded.exitCode, recorded.out, recorded.error]).toEqual([0, '', `wrote ${recording}\n`])
  const text = readFileSync(recording, 'utf8')
  expect(text).toContain('"chat/llama-70b/h100-tp4"')
  for (const secret of ['4711', '4712', '4713', '127.0.0.1', token]) expect(text).not.toContain(secret)
  const planned = await mixscaler('plan', '-p', 'policies/smallest.yaml', '--observation', recording)
  expect([planned.exitCode, planned.error]).toEqual([1, ''])
  expect(planned.out).toContain('chat/llama-70b: held')
})
