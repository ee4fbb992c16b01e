// The whole server in this process, on a Prometheus that can be made to misbehave: so that a test can step the clock,
// end the worker and look at everything that KEDA and an operator would get to see.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { observingFlags, openEyes } from '../../src/cli/observing.ts'
import { policyFilesAt, requirePolicies } from '../../src/cli/policies.ts'
import { runServer } from '../../src/cli/server.ts'
import type { Row } from '../../src/core/observe/series.ts'
import type { PolicySet } from '../../src/core/policy.ts'
import { type KedaClient, kedaClient } from '../../src/demo/kedaProtocol.ts'
import type { JournalOptions } from '../../src/loop/journal.ts'
import type { Log, Logger } from '../../src/telemetry/logger.ts'
import type { Pod } from '../observe/stage.ts'
import {
  honestly,
  type PlayedPrometheus,
  playPrometheus,
  sampleMaxAgeSeconds,
  windowSeconds,
} from './prometheus.ts'

export interface FaultStage {
  readonly prometheus: PlayedPrometheus
  readonly client: KedaClient
  readonly directory: string
  readonly log: readonly LogEntry[]
  readonly get: (path: string) => Promise<Response>
  /** What KEDA gets for each policy: a count, or the code of the error. */
  readonly targets: () => Promise<Targets>
  /** NaN where there is no such sample. */
  readonly metric: (sample: string) => Promise<number>
  readonly plan: () => Promise<PlanSeen>
  /** Resolves once so many more ticks have ended so. */
  readonly ticks: (outcome: 'published' | 'followed' | 'failed' | 'repeated', count: number) => Promise<void>
  /** Rejects with what the server ended with, if it did not end well. */
  readonly stop: () => Promise<void>
}

export interface LogEntry extends Readonly<Record<string, unknown>> {
  readonly level: string
  readonly msg: string
}

export interface PlanSeen {
  readonly at: number
  readonly policies: readonly {
    readonly id: string
    readonly status: unknown
    readonly variants: readonly { readonly target: unknown; readonly reasons: readonly unknown[] }[]
  }[]
}

const stalenessBudgetSeconds = 4
const intervalSeconds = 0.25

/** By policy: a count, or the code of an error. */
export type Targets = Readonly<Record<string, number | string>>

/** Policies share nothing but the server. The hold is to the window as it is by default. */
function policyText(name: string, budgetSeconds: number): string {
  return `apiVersion: mixscaler.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: ${name}, namespace: chat }
spec:
  model: meta-llama/Llama-3.1-8B-Instruct
  servedNames: [${name}]
  classes:
    - name: chat
      slo: { ttft: { p95: 1s }, itl: { p95: 50ms } }
  variants:
    - name: h100
      scaleTarget: { kind: Deployment, name: vllm-${name} }
      accelerator: { type: h100, count: 1 }
      cost: $3.90/h
      replicas: { min: 0, max: 8 }
      startup: 2s
  behavior: { hpaTolerance: 0%, stalenessBudget: ${budgetSeconds}s, scaleDown: { hold: ${2 * windowSeconds}s } }
`
}

/** Busy pods of a policy: 12 requests a second each. */
export function podsOf(name: string, count: number): readonly Pod[] {
  return Array.from({ length: count }, (_, index) => ({
    pod: `vllm-${name}-5d4f8c7b9d-bcdf${'ghjklmnp'[index]}`,
    engine: { model: name },
    state: (seconds: number) => ({
      finished: Math.round(12 * (seconds + 100)),
      running: 20,
      kvUsage: 0.3,
      promptTokens: 1155,
      outputTokens: 211,
      ttftSeconds: 0.05,
      itlSeconds: 0.008,
    }),
  }))
}

/** By policy: its staleness budget in seconds. */
export function writePolicies(budgets: Readonly<Record<string, number>>): string {
  const directory = mkdtempSync(join(tmpdir(), 'mixscaler-faults-'))
  for (const [name, seconds] of Object.entries(budgets))
    writeFileSync(join(directory, `${name}.yaml`), policyText(name, seconds))
  return directory
}

interface StageOptions {
  /** Of each policy that there is: how many pods it has. */
  readonly pods: Readonly<Record<string, number>>
  /** By policy, in seconds, where the test is not to wait for it or must not meet it. */
  readonly budgets?: Readonly<Record<string, number>>
  readonly journal?: JournalOptions
  /** Where the API of Kubernetes is to be found; without it, replicas are counted by metrics. */
  readonly kubeconfig?: string
  /** Which past is read at the start, and how; without it, none. */
  readonly past?: PlayedPast
}

interface PlayedPast {
  /** What scalers' own metrics say at the start. */
  readonly record: (policies: PolicySet) => readonly Row[]
  /** Resolves once queries for what was days ago are answered. */
  readonly days: Promise<void>
}

export async function startFaultStage({
  pods,
  budgets = {},
  journal,
  kubeconfig,
  past,
}: StageOptions): Promise<FaultStage> {
  const names = Object.keys(pods)
  const directory = writePolicies(
    Object.fromEntries(names.map((name) => [name, budgets[name] ?? stalenessBudgetSeconds])),
  )
  const policies = await requirePolicies(directory)
  const prometheus = await playPrometheus(
    policies.policies,
    Object.entries(pods).flatMap(([name, count]) => podsOf(name, count)),
    () => past?.record(policies.policies) ?? [],
  )
  if (past !== undefined)
    prometheus.mood = (...asked) => {
      if (asked[2] === 'days') void past.days.then(() => honestly(...asked))
      else honestly(...asked)
    }
  const flags = ['--prometheus', prometheus.url]
  const history =
    past === undefined
      ? ['--prometheus-timeout', '1s', '--history', 'off']
      : ['--prometheus-timeout', '60s', '--history', 'auto']
  const windows = ['--window', `${windowSeconds}s`, '--max-sample-age', `${sampleMaxAgeSeconds}s`]
  const { values } = parseArgs({
    args: [...flags, ...history, ...windows, '--kubernetes', kubeconfig === undefined ? 'off' : 'auto'],
    options: observingFlags,
  })
  const log: LogEntry[] = []
  const logger = keptLog(log)
  const stopping = new AbortController()
  const running = runServer(
    {
      address: '127.0.0.1',
      grpcPort: 0,
      httpPort: 0,
      emission: 'target',
      intervalSeconds,
      evaluationDelaySeconds: 0.1,
      observeDeadlineSeconds: 3,
      ...(journal === undefined ? {} : { journal }),
    },
    {
      policies,
      readPolicies: () => policyFilesAt(directory),
      openEyes: (queried) =>
        openEyes(values, {
          env: kubeconfig === undefined ? {} : { KUBECONFIG: kubeconfig },
          queried,
          noticed: (message) => logger.warn({}, message),
        }),
      logger,
    },
    stopping.signal,
  )
  // It may end before its turn to be looked at.
  running.catch(() => undefined)
  const ready = await eventually(() => log.find(({ msg }) => msg === 'ready'))
  const client = kedaClient(`127.0.0.1:${ready['grpcPort']}`)
  const get = (path: string) => fetch(`http://127.0.0.1:${ready['httpPort']}${path}`)
  const metric = async (sample: string) => sampleOf(await (await get('/metrics')).text(), sample)
  const stage: FaultStage = {
    ...{ prometheus, client, directory, log, get, metric },
    targets: () => targetsFrom(client, names),
    plan: async () => (await get('/api/v1/plan')).json() as Promise<PlanSeen>,
    ticks: async (outcome, count) => {
      const sample = `mixscaler_ticks_total{outcome="${outcome}"}`
      const before = (await metric(sample)) || 0
      await eventually(async () => ((await metric(sample)) >= before + count ? true : undefined))
    },
    stop: async () => {
      stopping.abort()
      client.close()
      try {
        await running
      } finally {
        await prometheus.close()
        rmSync(directory, { recursive: true, force: true })
      }
    },
  }
  if (past === undefined) await settled(stage)
  return stage
}

/** Until all policies have a target that no longer moves. */
async function settled(stage: FaultStage): Promise<void> {
  let before = ''
  await eventually(async () => {
    await stage.ticks('published', 1)
    const targets = await stage.targets()
    const text = JSON.stringify(targets)
    const same = text === before && Object.values(targets).every((target) => typeof target === 'number')
    before = text
    return same ? true : undefined
  })
}

export async function targetsFrom(client: KedaClient, names: readonly string[]): Promise<Targets> {
  const targets = await Promise.all(names.map((name) => targetOf(client, name)))
  return Object.fromEntries(names.map((name, index) => [name, targets[index] ?? 'none']))
}

export function refOf(name: string) {
  const scalerMetadata = { policy: name, variant: 'h100', scalerAddress: 'ignored:9090' }
  return { name: `vllm-${name}`, namespace: 'chat', scalerMetadata }
}

function targetOf(client: KedaClient, name: string): Promise<number | string> {
  return client.getMetrics(refOf(name), '').then(
    ([value]) => value?.metricValue ?? 'none',
    ({ code }: { code: number }) => (code === 14 ? 'UNAVAILABLE' : `code ${code}`),
  )
}

function sampleOf(text: string, sample: string): number {
  const line = text.split('\n').find((each) => each.startsWith(`${sample} `))
  return line === undefined ? Number.NaN : Number(line.slice(sample.length + 1))
}

function keptLog(entries: LogEntry[]): Logger {
  const at =
    (level: string): Log =>
    (fields, msg) =>
      void entries.push({ ...fields, level, msg })
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

export async function eventually<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const until = performance.now() + 20_000
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > until) throw new Error('waited in vain')
    await sleep(50)
  }
}
