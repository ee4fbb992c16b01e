// How soon is a server that starts of use? The real `serve` reads back its past from a Prometheus of the bench's own, while a
// client calls it every 10 ms: time to GetMetricSpec, to the first decision, what was read, CPU, and how long a call waited at most.

import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { kedaClient } from '../src/demo/kedaProtocol.ts'
import { type RealScaler, startScaler } from '../test/stage/scaler.ts'
import { framesOf } from './load/keda.ts'
import { pinging } from './load/pinging.ts'
import { writeFleet } from './start/policies.ts'
import { startFakePrometheus } from './start/prometheus.ts'

const help = `Usage: npx node bench/start.ts [POLICIESxVARIANTS ...]    1x2 10x3 100x10 by default

Each size with the past, and without it (--history off) as the control. Limits: GetMetricSpec below 1 s after the process
began, the first decision below 5 s after that.
`
const limits = { readySeconds: 1, decisionSeconds: 5 }
const longestSeconds = 150
const pingMilliseconds = 10
const idleSeconds = 3
const frames = framesOf('so', 'team-model-0', 'model-0', 'v0')

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

async function measure(policyCount: number, variantCount: number, history: 'auto' | 'off'): Promise<void> {
  const { directory, policies } = await writeFleet(policyCount, variantCount)
  const prometheus = await startFakePrometheus(policies)
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
    const pings = pingingAt(scaler)
    const decided = await firstDecision(scaler, begun)
    const longest = (await pings.stop()).at(-1) ?? Number.NaN
    const { queries, bytes, busySeconds } = await prometheus.served()
    const cpu = await cpuSeconds(scaler)
    const calm = pingingAt(scaler)
    await sleep(idleSeconds * 1000)
    const idle = (await calm.stop()).at(-1) ?? Number.NaN
    const late = ready > limits.readySeconds || decided - ready > limits.decisionSeconds
    console.log(
      [
        `${policyCount}x${variantCount} | ${history} | ${ready.toFixed(2)} | ${decided.toFixed(2)} | ${cpu.toFixed(1)}`,
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

/** Answered from the first moment on. */
function pingingAt({ grpcAddress }: RealScaler) {
  return pinging(`http://${grpcAddress}`, 'GetMetricSpec', frames, pingMilliseconds)
}

async function cpuSeconds({ httpUrl }: RealScaler): Promise<number> {
  const text = await (await fetch(`${httpUrl}/metrics`)).text()
  return Number(/^process_cpu_seconds_total (\S+)$/m.exec(text)?.[1])
}

function seconds(begun: number): number {
  return (performance.now() - begun) / 1000
}
