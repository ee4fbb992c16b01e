// What KEDA waits while a large fleet is observed, decided and published: GetMetrics over gRPC every few milliseconds, asked whether
// the last one was answered or not, while the server is scraped too; the same at a bare gRPC server shows what the machine makes of it.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type RealScaler, startScaler } from '../test/stage/scaler.ts'
import { framesOf, quantile, serveEcho } from './load/keda.ts'
import { pinging } from './load/pinging.ts'
import { writeFleet } from './start/policies.ts'
import { startFakePrometheus } from './start/prometheus.ts'

const help = `npx node bench/pings.ts [POLICIESxVARIANTS ...]    100x10 by default

  --ticks N      that are pinged through, after the first decision (default 20)
  --interval N   seconds between them, and between scrapes of /metrics (default 5)
  --history X    auto: the past is read back beside them; off (default)

Loopback only. Limit: no call of ours waits longer than 50 ms. Exit code 1 if it is missed.`

const longestMilliseconds = 50
const pingMilliseconds = 5
const longestStartSeconds = 150
const frames = framesOf('so', 'team-model-0', 'model-0', 'v0')

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: 'boolean', default: false },
    ticks: { type: 'string', default: '20' },
    interval: { type: 'string', default: '5' },
    history: { type: 'string', default: 'off' },
  },
})

if (values.help) console.log(help)
else if (positionals[0] === 'echo') {
  process.on('disconnect', () => process.exit())
  process.send?.(await serveEcho())
} else if (positionals[0] === 'ping') {
  // A process of its own: whoever measures does nothing else.
  const pings = pinging(positionals[1] ?? '', 'GetMetrics', frames, pingMilliseconds)
  await once(process, 'message')
  process.send?.(await pings.stop(), () => process.disconnect())
} else {
  for (const size of positionals.length > 0 ? positionals : ['100x10']) {
    const [policies = 1, variants = 2] = size.split('x').map(Number)
    if (!(await measure(policies, variants))) process.exitCode = 1
  }
}

async function measure(policyCount: number, variantCount: number): Promise<boolean> {
  const { directory, policies } = await writeFleet(policyCount, variantCount)
  const prometheus = await startFakePrometheus(policies)
  const echo = fork(fileURLToPath(import.meta.url), ['echo'])
  const [echoPort] = await once(echo, 'message')
  const scaler = await startScaler([
    ...['--policy', directory, '--prometheus', prometheus.url, '--kubernetes', 'off'],
    ...['--history', values.history, '--interval', `${values.interval}s`],
  ])
  try {
    const before = await published(scaler, 1)
    const pingers = [`http://${scaler.grpcAddress}`, `http://127.0.0.1:${echoPort}`].map(startPinger)
    const after = await published(scaler, before.count + Number(values.ticks))
    const [waits = [], bare = []] = await Promise.all(pingers.map(waitsOf))
    const kept = quantile(waits, 1) < longestMilliseconds
    const load = loadavg().map((value) => value.toFixed(1))
    const mean = (after.seconds - before.seconds) / (after.count - before.count)
    console.log(
      `${policyCount} policies x ${variantCount} variants, ${after.count - before.count} ticks of ${mean.toFixed(2)} s each, ${(after.residentBytes / 2 ** 20).toFixed(0)} MiB resident, load average ${load.join(', ')}`,
    )
    console.log(`  mixscaler serve  ${shown(waits)}`)
    console.log(`  bare echo        ${shown(bare)}`)
    console.log(`  ${kept ? 'kept' : 'MISSED'}: no call of ours waits longer than ${longestMilliseconds} ms`)
    return kept
  } finally {
    await scaler.stop()
    await prometheus.close()
    echo.disconnect()
    await rm(directory, { recursive: true, force: true })
  }
}

interface Published {
  readonly count: number
  /** That those ticks took, together. */
  readonly seconds: number
  readonly residentBytes: number
}

/** Scrapes the server until so many ticks have been published. */
async function published({ httpUrl, log }: RealScaler, count: number): Promise<Published> {
  const until = performance.now() + 1000 * (longestStartSeconds + count * Number(values.interval))
  for (;;) {
    const text = await (await fetch(`${httpUrl}/metrics`)).text()
    const sampleOf = (sample: string) =>
      Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`${sample} `))
          ?.slice(sample.length),
      )
    const ticks = sampleOf('mixscaler_ticks_total{outcome="published"}')
    if (ticks >= count)
      return {
        count: ticks,
        seconds: sampleOf('mixscaler_tick_duration_seconds_sum{step="whole"}'),
        residentBytes: sampleOf('process_resident_memory_bytes'),
      }
    if (performance.now() > until) throw new Error(`no decision: ${JSON.stringify(log.slice(-20))}`)
    await sleep(ticks === 0 ? 100 : 1000 * Number(values.interval))
  }
}

function startPinger(url: string): ChildProcess {
  return fork(fileURLToPath(import.meta.url), ['ping', url])
}

async function waitsOf(pinger: ChildProcess): Promise<readonly number[]> {
  pinger.send('stop')
  const [waits] = (await once(pinger, 'message')) as [readonly number[]]
  return waits
}

function shown(waits: readonly number[]): string {
  const figures = [0.5, 0.99, 0.999, 1].map((q) => quantile(waits, q).toFixed(1))
  return `p50 / p99 / p99.9 / longest ${figures.join(' / ')} ms of ${waits.length} calls`
}
