// How soon is a server that starts of use? The real `serve` reads back its past from a Prometheus of the bench's own, while a
// client pings it every 10 ms: time to GetMetricSpec, to the first decision, what was read, CPU, and the longest wait of a ping.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { resolveFrom } from '../src/core/profiles/library.ts'
import { measuredProfiles } from '../src/core/profiles/measured.ts'
import { kedaClient } from '../src/demo/kedaProtocol.ts'
import { loadPolicies } from '../src/policy/load.ts'
import { type RealScaler, startScaler } from '../test/stage/scaler.ts'
import { startFakePrometheus } from './start/prometheus.ts'

const help = `Usage: npx node bench/start.ts [POLICIESxVARIANTS ...]    1x2 10x3 100x10 by default

Each size with the past, and without it (--history off) as the control. Limits: GetMetricSpec below 1 s after the process
began, the first decision below 5 s after that.
`
const limits = { readySeconds: 1, decisionSeconds: 5 }
const longestSeconds = 150
const pingMilliseconds = 10
const idleSeconds = 3

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { help: { type: 'boolean' } },
})

if (values.help === true) process.stdout.write(help)
else {
  console.log(
    'size | history | GetMetricSpec s | first decision s | CPU s | queries | MB read | made in s | longest ping ms | idle',
  )
  for (const size of positionals.length > 0 ? positionals : ['1x2', '10x3', '100x10']) {
    const [policies = 1, variants = 2] = size.split('x').map(Number)
    for (const history of ['off', 'auto'] as const) await measure(policies, variants, history)
  }
}

async function measure(policies: number, variants: number, history: 'auto' | 'off'): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'mixscaler-start-'))
  const texts = Array.from({ length: policies }, (_, index) => policyText(`model-${index}`, variants))
  const loaded = loadPolicies(
    texts.map((text, index) => ({ file: `${index}.yaml`, text })),
    resolveFrom(measuredProfiles),
  )
  if (loaded.kind !== 'loaded') throw new Error(JSON.stringify(loaded))
  await Promise.all(texts.map((text, index) => writeFile(join(directory, `${index}.yaml`), text)))
  const prometheus = await startFakePrometheus(loaded.policies)
  const begun = performance.now()
  const scaler = await startScaler([
    ...['--policy', directory, '--prometheus', prometheus.url],
    ...['--kubernetes', 'off', '--history', history],
  ])
  try {
    const client = kedaClient(scaler.grpcAddress)
    await client.getMetricSpec({
      name: 'so',
      namespace: 'team-model-0',
      scalerMetadata: { policy: 'model-0', variant: 'v0', scalerAddress: 'ignored:9090' },
    })
    const ready = seconds(begun)
    client.close()
    const pings = pinging(scaler)
    const decided = await firstDecision(scaler, begun)
    const longest = await pings.longest()
    const { queries, bytes, busySeconds } = await prometheus.served()
    const cpu = await cpuSeconds(scaler)
    const calm = pinging(scaler)
    await sleep(idleSeconds * 1000)
    const idle = await calm.longest()
    const late = ready > limits.readySeconds || decided - ready > limits.decisionSeconds
    console.log(
      [
        `${policies}x${variants} | ${history} | ${ready.toFixed(2)} | ${decided.toFixed(2)} | ${cpu.toFixed(1)}`,
        `${queries} | ${(bytes / 1e6).toFixed(1)} | ${busySeconds.toFixed(1)} | ${longest.toFixed(0)} | ${idle.toFixed(0)}`,
      ].join(' | '),
    )
    for (const { msg } of scaler.log)
      if (String(msg).startsWith('not read back')) console.log(`  ${String(msg)}`)
    if (late) process.exitCode = 1
  } finally {
    await scaler.stop()
    await prometheus.close()
    await rm(directory, { recursive: true, force: true })
  }
}

/** Rejects where there is none. */
async function firstDecision({ httpUrl, log }: RealScaler, begun: number): Promise<number> {
  while (seconds(begun) < longestSeconds) {
    const { ok } = await fetch(`${httpUrl}/api/v1/plan`)
    if (ok) return seconds(begun)
    await sleep(20)
  }
  throw new Error(`no decision: ${log.map(({ msg }) => String(msg)).join('\n')}`)
}

/** Asks every 10 ms, whether the last one was answered or not: each waits as long as the event loop is blocked. */
function pinging({ httpUrl }: RealScaler): { readonly longest: () => Promise<number> } {
  const agent = new Agent({ keepAlive: true })
  const waits: Promise<number>[] = []
  const timer = setInterval(() => waits.push(ping(`${httpUrl}/healthz`, agent)), pingMilliseconds)
  return {
    longest: async () => {
      clearInterval(timer)
      const all = await Promise.all(waits)
      agent.destroy()
      return Math.max(...all)
    },
  }
}

function ping(url: string, agent: Agent): Promise<number> {
  const begun = performance.now()
  return new Promise((resolve) => {
    const asked = httpRequest(url, { agent }, (response) => {
      response.resume().once('end', () => resolve(performance.now() - begun))
    })
    // Reset, as a listener does that was blocked for too long: it waited so long in vain.
    asked.once('error', () => resolve(performance.now() - begun)).end()
  })
}

async function cpuSeconds({ httpUrl }: RealScaler): Promise<number> {
  const text = await (await fetch(`${httpUrl}/metrics`)).text()
  return Number(/^process_cpu_seconds_total (\S+)$/m.exec(text)?.[1])
}

function seconds(begun: number): number {
  return (performance.now() - begun) / 1000
}

function policyText(name: string, variants: number): string {
  const accelerators = ['h100', 'a100-80gb']
  return `apiVersion: mixscaler.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: ${name}, namespace: team-${name} }
spec:
  model: meta-llama/Llama-3.1-8B-Instruct
  servedNames: [llama-3.1-8b]
  classes:
    - name: chat
      slo: { ttft: { p95: 1s }, itl: { p95: 50ms } }
  variants:
${Array.from(
  { length: variants },
  (_, index) => `    - name: v${index}
      scaleTarget: { kind: Deployment, name: ${name}-v${index} }
      accelerator: { type: ${accelerators[index % 2]}, count: 1 }
      cost: $${(3.5 + 0.1 * index).toFixed(2)}/h
      replicas: { min: ${index === 0 ? 1 : 0}, max: 8 }
      startup: 60s
`,
).join('')}`
}
