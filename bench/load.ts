// The scaler under KEDA's own load: a thousand ScaledObjects polled by KEDA and the HPA and half as many push streams, on a real
// `serve` that ticks meanwhile, beside a bare grpc-js server; whether 1,000 stream cycles leave anything behind in that
// process; and whether 100,000 ticks make the heap grow. Growth is judged by its slope and standard error.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { type ClientHttp2Session, connect } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { requirePolicies } from '../src/cli/policies.ts'
import { playPrometheus, sampleMaxAgeSeconds, windowSeconds } from '../test/faults/prometheus.ts'
import { podsOf, writePolicies } from '../test/faults/stage.ts'
import { type RealScaler, startScaler } from '../test/stage/scaler.ts'
import { call, type Frames, framesOf, openStream, quantile, serveEcho } from './load/keda.ts'
import { isFlat, type Slope, slopeOf } from './load/slope.ts'
import { runTicks, type TickRun } from './load/ticks.ts'

const help = `npx node bench/load.ts [--part calls,cycles,ticks]

  --refs N       ScaledObjects (default 1000)
  --streams N    StreamIsActive open all the time (default 500)
  --pace N       times KEDA's and the HPA's real rhythm, a poll in 30 s and a sync in 15 s (default 3)
  --seconds N    of calls (default 60)
  --cycles N     streams opened and cancelled (default 1000)
  --warm-up N    ticks before the heap is measured, while V8 still compiles (default 60000)
  --ticks N      then (default 100000)

Loopback only. Exit code 1 if a limit is missed.`

const limits = { p99Milliseconds: 5 }
const policyCount = 20
/** Of V8's heap: what our data lies in. The others hold what its compilers make of the code, which they go on with for tens of thousands of ticks. */
const objectSpaces = ['new_space', 'old_space', 'new_large_object_space', 'large_object_space']
/** Alternating, so that a neighbour's burst on the same machine falls on both servers. */
const sliceSeconds = 2
/** The figures of the thread that answers KEDA are not older. */
const figuresMilliseconds = 400

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: 'boolean', default: false },
    part: { type: 'string', default: 'calls,cycles,ticks' },
    refs: { type: 'string', default: '1000' },
    streams: { type: 'string', default: '500' },
    pace: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '60' },
    cycles: { type: 'string', default: '1000' },
    'warm-up': { type: 'string', default: '60000' },
    ticks: { type: 'string', default: '100000' },
  },
})
const parts = values.part.split(',')

if (values.help) console.log(help)
else if (positionals[0] === 'echo') {
  process.on('disconnect', () => process.exit())
  process.send?.(await serveEcho())
} else if (positionals[0] === 'prometheus') {
  // A process of its own, or answering queries would hold up the client that measures.
  process.on('disconnect', () => process.exit())
  const { policies } = await requirePolicies(positionals[1] ?? '')
  const pods = policies.policies.flatMap(({ name }) => podsOf(name, 2))
  process.send?.((await playPrometheus(policies, pods)).url)
} else if (positionals[0] === 'ticks') {
  const counts = { warmUp: Number(values['warm-up']), measured: Number(values.ticks), samples: 100 }
  const run = await runTicks(counts, (text) => process.stderr.write(`\r${text}  `))
  process.send?.(run)
  process.disconnect()
} else {
  const kept = [
    ...(parts.includes('calls') || parts.includes('cycles') ? await onServer() : []),
    ...(parts.includes('ticks') ? [await ticks()] : []),
  ]
  if (kept.includes(false)) process.exitCode = 1
}

/** A real `serve` whose ticks keep pace with the calls. */
async function onServer(): Promise<readonly boolean[]> {
  const names = Array.from({ length: policyCount }, (_, i) => `model-${i}`)
  const directory = writePolicies(Object.fromEntries(names.map((name) => [name, 60])))
  const prometheus = fork(fileURLToPath(import.meta.url), ['prometheus', directory])
  const [url] = await once(prometheus, 'message')
  const scaler = await startScaler([
    ...['--policy', directory, '--prometheus', String(url), '--kubernetes', 'off', '--history', 'off'],
    ...[
      '--interval',
      `${15 / Number(values.pace)}s`,
      '--window',
      `${windowSeconds}s`,
      '--max-sample-age',
      `${sampleMaxAgeSeconds}s`,
    ],
  ])
  const frames = Array.from({ length: Number(values.refs) }, (_, i) =>
    framesOf(`so-${i}`, 'chat', names[i % names.length] ?? '', 'h100'),
  )
  const session = connect(`http://${scaler.grpcAddress}`)
  try {
    await answering(session, frames)
    return [
      ...(parts.includes('calls') ? [await calls(session, frames)] : []),
      ...(parts.includes('cycles') ? [await cycles(scaler, frames)] : []),
    ]
  } finally {
    session.destroy()
    await scaler.stop()
    prometheus.disconnect()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function answering(session: ClientHttp2Session, frames: readonly Frames[]): Promise<void> {
  for (const { GetMetrics } of frames.slice(0, policyCount)) {
    for (let tries = 0; ; tries++) {
      const answered = await call(session, 'GetMetrics', GetMetrics).then(
        () => true,
        () => false,
      )
      if (answered) break
      if (tries > 200) throw new Error('serve has no target')
      await sleep(100)
    }
  }
}

interface Polled {
  readonly name: string
  readonly session: ClientHttp2Session
  /** Milliseconds of GetMetrics. */
  readonly latencies: number[]
  calls: number
  errors: number
}

async function calls(session: ClientHttp2Session, frames: readonly Frames[]): Promise<boolean> {
  const echo = fork(fileURLToPath(import.meta.url), ['echo'])
  const [port] = await once(echo, 'message')
  const bare = connect(`http://127.0.0.1:${port}`)
  const polled = [polledAt('mixscaler serve', session), polledAt('bare echo', bare)]
  const streams = [session, bare].map((each) =>
    frames.slice(0, Number(values.streams)).map((own) => openStream(each, own)),
  )
  await Promise.all(streams.flat().map(({ first }) => first))
  for (const each of polled) await poll(each, frames, sliceSeconds)
  for (const each of polled) Object.assign(each, { calls: 0, errors: 0, latencies: [] })
  for (let round = 0; round < Number(values.seconds) / sliceSeconds / 2; round++)
    for (const each of round % 2 === 0 ? polled : polled.toReversed()) await poll(each, frames, sliceSeconds)
  const messages = streams.map((some) => some.reduce((sum, stream) => sum + stream.messages(), 0))
  await Promise.all(streams.flat().map((stream) => stream.cancel()))
  bare.destroy()
  echo.disconnect()
  return reportCalls(polled, messages)
}

function polledAt(name: string, session: ClientHttp2Session): Polled {
  return { name, session, latencies: [], calls: 0, errors: 0 }
}

/** KEDA polls each ScaledObject every 30 s and the HPA syncs every 15 s: each time the spec, the metric and the activity. */
async function poll(polled: Polled, frames: readonly Frames[], seconds: number): Promise<void> {
  const perSecond = frames.length * Number(values.pace) * (1 / 30 + 1 / 15)
  const begun = performance.now()
  const under: Promise<void>[] = []
  for (let elapsed = 0; elapsed < seconds; elapsed = (performance.now() - begun) / 1000) {
    while (under.length < elapsed * perSecond)
      under.push(pollOne(polled, frames[(polled.calls + under.length) % frames.length] as Frames))
    await sleep(1)
  }
  await Promise.all(under)
  polled.calls += under.length
}

async function pollOne(polled: Polled, frames: Frames): Promise<void> {
  const { session, latencies } = polled
  try {
    await call(session, 'GetMetricSpec', frames.GetMetricSpec)
    const sentAt = performance.now()
    await call(session, 'GetMetrics', frames.GetMetrics)
    latencies.push(performance.now() - sentAt)
    await call(session, 'IsActive', frames.IsActive)
  } catch {
    polled.errors += 1
  }
}

function reportCalls(polled: readonly Polled[], messages: readonly number[]): boolean {
  const perSecond = Number(values.refs) * Number(values.pace) * 0.1
  console.log(
    `GetMetrics of ${values.refs} ScaledObjects at ${values.pace} times KEDA's pace (${perSecond.toFixed(0)} polls a second, three calls each), ${values.streams} streams open`,
  )
  const rows = polled.map(({ name, latencies, errors }, index) => {
    const sorted = latencies.toSorted((x, y) => x - y)
    const p99 = quantile(sorted, 0.99)
    const shown = [0.5, 0.99, 0.999].map((q) => quantile(sorted, q).toFixed(2)).join(' / ')
    console.log(
      `  ${name.padEnd(16)} p50 / p99 / p99.9 ${shown} ms of ${sorted.length} calls; ${errors} errors; ${messages[index]} stream messages`,
    )
    return { p99, errors }
  })
  const [ours, echo] = rows
  const kept = (ours?.p99 ?? Infinity) < limits.p99Milliseconds && ours?.errors === 0
  console.log(`  ${kept ? 'kept' : 'MISSED'}: p99 below ${limits.p99Milliseconds} ms, no error`)
  if ((echo?.p99 ?? 0) >= limits.p99Milliseconds)
    console.log('  The bare echo misses the limit too: this machine is too busy with other things to tell.')
  return kept
}

/** What the process itself says of its handles, file descriptors and heap while streams come and go. */
async function cycles(scaler: RealScaler, frames: readonly Frames[]): Promise<boolean> {
  const count = Number(values.cycles)
  const names = [
    'mixscaler_grpc_thread_active_resources',
    'process_open_fds',
    'mixscaler_grpc_streams_open',
    'mixscaler_grpc_thread_heap_bytes',
  ]
  const x: number[] = []
  const y: Readonly<Record<string, number[]>> = Object.fromEntries(names.map((name) => [name, []]))
  const address = `http://${scaler.grpcAddress}`
  let shared = connect(address)
  for (let cycle = 1; cycle <= count; cycle++) {
    // Node's HTTP/2 ends a connection that resets more than a thousand streams in a burst.
    if (cycle % 500 === 0) {
      await closed(shared)
      shared = connect(address)
    }
    // Every tenth comes on a connection of its own.
    const own = cycle % 10 === 0 ? connect(address) : shared
    const stream = openStream(own, frames[cycle % frames.length] as Frames)
    await stream.first
    await stream.cancel()
    if (own !== shared) await closed(own)
    if (cycle % Math.max(1, Math.floor(count / 50)) !== 0) continue
    await sleep(figuresMilliseconds)
    const text = await (await fetch(`${scaler.httpUrl}/metrics`)).text()
    x.push(cycle)
    for (const name of names) y[name]?.push(sampleOf(text, name))
  }
  await closed(shared)
  console.log(`${count} streams opened, heard and cancelled, every tenth on a new connection`)
  return names
    .map((name) => {
      const slope = slopeOf(x, y[name] ?? [])
      // The heap between two collections is a saw: it is shown and not judged here.
      const judged = name !== 'mixscaler_grpc_thread_heap_bytes'
      console.log(`  ${name.padEnd(40)} ${slopeText(slope, count)}${judged ? verdict(slope) : ''}`)
      return !judged || isFlat(slope)
    })
    .every(Boolean)
}

async function closed(session: ClientHttp2Session): Promise<void> {
  const over = once(session, 'close')
  session.destroy()
  await over
}

function sampleOf(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
}

async function ticks(): Promise<boolean> {
  const asked = ['--warm-up', values['warm-up'], '--ticks', values.ticks]
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), ['ticks', ...asked])
  const [run] = (await once(child, 'message')) as [TickRun]
  process.stderr.write('\n')
  const grown = (bytes: readonly number[]) => slopeOf(run.ticks, bytes)
  const row = (name: string, slope: Slope, judged: boolean) =>
    console.log(`  ${name.padEnd(33)}${slopeText(slope, 100_000)}${judged ? verdict(slope) : ''}`)
  const objects = grown(
    run.heap.map((_, i) => sumOf(objectSpaces.map((space) => run.spaces[space]?.[i] ?? 0))),
  )
  const whole = grown(run.heap)
  console.log(
    `${values.ticks} ticks after ${values['warm-up']}, ${run.failed} of all failed on purpose, ${run.streamMessages} stream messages`,
  )
  row('heap', whole, true)
  row('spaces that objects lie in', objects, true)
  for (const [space, bytes] of Object.entries(run.spaces)) {
    if (Math.max(...bytes) > 0) row(`  ${space}`, grown(bytes), false)
  }
  row('state as text', grown(run.stateBytes), false)
  const { first, last } = run.kinds
  for (const [kind, name] of [
    ['data', 'objects, arrays, strings'],
    ['code', 'code and V8’s tables about it'],
  ] as const) {
    const [then, now] = [first[kind], last[kind]]
    console.log(
      `  snapshots: ${name.padEnd(30)} ${then.bytes} bytes in ${then.count}, then ${now.bytes} in ${now.count}`,
    )
  }
  return isFlat(objects) && isFlat(whole)
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}

function slopeText({ perUnit, standardError, mean, correlation }: Slope, units: number): string {
  const [grown, error] = [perUnit * units, standardError * units].map((value) => value.toFixed(1))
  return `mean ${mean.toFixed(0)}, ${grown} +- ${error} over ${units} (neighbours ${correlation.toFixed(2)}) `
}

function verdict(slope: Slope): string {
  return isFlat(slope) ? 'flat' : 'GROWS'
}
