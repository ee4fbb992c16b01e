// The journal of real processes: one that runs out of room in the middle of a line, one that is killed, one that rotates. Whatever
// happened to the writers, `replay` takes every whole decision again and comes to the same bytes.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { requirePolicies } from '../../src/cli/policies.ts'
import { kedaClient } from '../../src/demo/kedaProtocol.ts'
import { mainFile, type RealScaler, startScaler } from '../stage/scaler.ts'
import { type PlayedPrometheus, playPrometheus, sampleMaxAgeSeconds, windowSeconds } from './prometheus.ts'
import { eventually, podsOf, targetsFrom, writePolicies } from './stage.ts'

/** So many that a file of the smallest size there is lasts for a few ticks. */
const names = Array.from({ length: 24 }, (_, i) => `model-${i}`)
const steady = Object.fromEntries(names.map((name) => [name, 2]))
const limitKibibytes = 256

let policies: string
let directory: string
let journal: string
let prometheus: PlayedPrometheus
let scaler: RealScaler | undefined

beforeAll(async () => {
  policies = writePolicies(Object.fromEntries(names.map((name) => [name, 60])))
  directory = mkdtempSync(join(tmpdir(), 'mixscaler-journals-'))
  journal = join(directory, 'journal')
  const pods = names.flatMap((name) => podsOf(name, 2))
  prometheus = await playPrometheus((await requirePolicies(policies)).policies, pods)
})

afterAll(async () => {
  scaler?.kill()
  await prometheus?.close()
  for (const made of [policies, directory]) rmSync(made, { recursive: true, force: true })
})

async function serving(through: readonly string[] = []): Promise<RealScaler> {
  const flags = [
    '--policy',
    policies,
    '--prometheus',
    prometheus.url,
    '--kubernetes',
    'off',
    '--history',
    'off',
  ]
  const pace = ['--interval', '200ms', '--evaluation-delay', '50ms']
  const windows = ['--window', `${windowSeconds}s`, '--max-sample-age', `${sampleMaxAgeSeconds}s`]
  const kept = ['--journal', journal, '--journal-size', '1', '--journal-files', '3']
  return startScaler([...flags, ...pace, ...windows, ...kept], through)
}

async function journaled(outcome: 'written' | 'failed'): Promise<number> {
  const text = await (await fetch(`${scaler?.httpUrl}/metrics`)).text()
  return Number(
    new RegExp(`^mixscaler_journal_ticks_total{outcome="${outcome}"} (\\d+)$`, 'm').exec(text)?.[1] ?? 0,
  )
}

function replayed(): { readonly status: number | null; readonly said: Readonly<Record<string, unknown>> } {
  const { status, stdout } = spawnSync(process.execPath, [mainFile, 'replay', journal, '--output', 'json'], {
    encoding: 'utf8',
  })
  return { status, said: JSON.parse(stdout) }
}

/** Ticks that stand whole in the files there are. */
function wholeTicks(): number {
  const texts = ['.2', '.1', ''].flatMap((age) =>
    existsSync(journal + age) ? [readFileSync(journal + age, 'utf8')] : [],
  )
  return texts.join('').match(/^\{"kind":"tick".*\}$/gm)?.length ?? 0
}

it('a disk that fills up in the middle of a line costs that line; targets go on, and what was written replays', async () => {
  scaler = await serving(['bash', '-c', `ulimit -f ${limitKibibytes}; exec "$@"`, 'limited'])
  await eventually(async () => ((await journaled('failed')) >= 2 ? true : undefined))
  const client = kedaClient(scaler.grpcAddress)
  expect(await targetsFrom(client, names)).toEqual(steady)
  client.close()
  expect(
    scaler.log.filter(({ msg }) => String(msg).startsWith('the journal cannot be written')),
  ).toMatchObject([{ why: expect.stringMatching(/EFBIG/) }])
  scaler.kill()
  expect(statSync(journal).size).toBe(1024 * limitKibibytes)
  const { status, said } = replayed()
  expect(status).toBe(0)
  expect(said).toMatchObject({ decisions: wholeTicks(), cutShort: 1 })
  expect(wholeTicks()).toBeGreaterThanOrEqual(1)
})

it('a journal goes on behind cut lines and over rotations, killed writers or not, and all of it replays byte for byte', async () => {
  scaler = await serving()
  // Between a rotation and the next line there is no file of the name.
  const hasRotated = () => existsSync(`${journal}.1`) && existsSync(journal) && statSync(journal).size > 0
  await eventually(() => (hasRotated() ? true : undefined))
  scaler.kill()
  // What a power failure leaves of the last line.
  await eventually(() => (readFileSync(journal, 'utf8').endsWith('\n') ? true : undefined))
  truncateSync(journal, statSync(journal).size - 500)
  scaler = await serving()
  await eventually(async () => ((await journaled('written')) >= 2 ? true : undefined))
  expect(await scaler.stop()).toBe(0)
  const { status, said } = replayed()
  expect(status).toBe(0)
  expect(said).toMatchObject({ decisions: wholeTicks(), cutShort: 2 })
  expect(wholeTicks()).toBeGreaterThanOrEqual(10)
  expect(said['files']).toHaveLength(2)
})

it('a digit that was changed since is found, with its place', () => {
  const text = readFileSync(journal, 'utf8')
  const at = text.lastIndexOf('"target":2')
  writeFileSync(journal, `${text.slice(0, at)}"target":3${text.slice(at + '"target":2'.length)}`)
  const { status, said } = replayed()
  expect(status).toBe(1)
  expect(said['difference']).toMatchObject({ file: journal, journal: '3', replay: '2' })
  expect(said['difference']).toHaveProperty('path', expect.stringMatching(/^policies\[\d+\]\..*target$/))
})
