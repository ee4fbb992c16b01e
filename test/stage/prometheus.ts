// A real Prometheus (Debian's package) on loopback, scraping what an http_sd endpoint lists.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface RealPrometheus {
  readonly url: string
  /** Ends the process; its data stay for `start`. */
  readonly stop: () => Promise<void>
  /** Starts it again on the same port and data. */
  readonly start: () => Promise<void>
  /** Stops it and removes its data. */
  readonly close: () => Promise<void>
}

export interface RealPrometheusOptions {
  readonly targetsUrl: string
  /** At least 1: what Prometheus can be asked for in whole seconds. */
  readonly scrapeSeconds: number
}

const installHint =
  "prometheus is missing: apt-get install prometheus (or run 'make test', which installs it)"
const startMilliseconds = 30_000

/** Rejects with the install hint where there is no `prometheus`. */
export async function startPrometheus(options: RealPrometheusOptions): Promise<RealPrometheus> {
  const directory = await mkdtemp(join(tmpdir(), 'mixscaler-prometheus-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const config = join(directory, 'prometheus.yml')
  await writeFile(config, configuration(options))
  let process: ChildProcess | undefined
  const start = async (): Promise<void> => {
    process = await launch(config, directory, port)
    await ready(url, process)
  }
  const stop = async (): Promise<void> => {
    if (process !== undefined) await ended(process)
    process = undefined
  }
  await start()
  return {
    url,
    start,
    stop,
    close: async () => {
      await stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function configuration({ targetsUrl, scrapeSeconds }: RealPrometheusOptions): string {
  return `global: { scrape_interval: ${scrapeSeconds}s, scrape_timeout: ${scrapeSeconds}s }
scrape_configs:
  - job_name: fleet
    honor_labels: true
    http_sd_configs: [{ url: '${targetsUrl}', refresh_interval: 1s }]
`
}

function launch(config: string, directory: string, port: number): Promise<ChildProcess> {
  const flags = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(directory, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=error',
  ]
  const process = spawn('prometheus', flags, { stdio: 'ignore' })
  return new Promise((resolve, reject) => {
    process.once('spawn', () => resolve(process))
    process.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'ENOENT' ? new Error(installHint) : error),
    )
  })
}

async function ready(url: string, process: ChildProcess): Promise<void> {
  const until = Date.now() + startMilliseconds
  while (Date.now() < until) {
    if (process.exitCode !== null) throw new Error(`prometheus ended with ${process.exitCode}`)
    const answer = await fetch(`${url}/-/ready`).catch(() => undefined)
    if (answer?.ok) return
    await sleep(100)
  }
  throw new Error(`prometheus is not ready after ${startMilliseconds / 1000} s`)
}

/** SIGTERM, then SIGKILL where that does not help. */
export async function ended(process: ChildProcess): Promise<number | null> {
  if (process.exitCode !== null || process.signalCode !== null) return process.exitCode
  const exit = new Promise<number | null>((resolve) => process.once('exit', resolve))
  process.kill('SIGTERM')
  const killer = setTimeout(() => process.kill('SIGKILL'), 15_000)
  const code = await exit
  clearTimeout(killer)
  return code
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address !== null
          ? resolve(address.port)
          : reject(new Error('no port')),
      )
    })
  })
}
