// A real Prometheus (Debian's package) on loopback, its data in a folder that goes away with it.
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

const startMilliseconds = 30_000

/**
 * `config` is prometheus.yml as data: YAML reads JSON. `prepare` may put blocks into `data` of the directory it is given.
 * Rejects with the install hint where there is no `prometheus`.
 */
export async function startPrometheus(
  config: unknown,
  prepare: (directory: string) => Promise<void> = async () => undefined,
): Promise<RealPrometheus> {
  const directory = await mkdtemp(join(tmpdir(), 'mixscaler-prometheus-'))
  const configFile = join(directory, 'prometheus.yml')
  await writeFile(configFile, JSON.stringify(config))
  const address = `127.0.0.1:${await freePort()}`
  const url = `http://${address}`
  let running: ChildProcess | undefined
  const start = async (): Promise<void> => {
    running = await ready(url, [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=${address}`,
      '--log.level=warn',
    ])
  }
  const stop = async (): Promise<void> => {
    if (running !== undefined) await ended(running)
    running = undefined
  }
  const close = async (): Promise<void> => {
    await stop()
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await prepare(directory)
    await start()
  } catch (error) {
    await close()
    throw error
  }
  return { url, start, stop, close }
}

/**
 * Scrapes, under the labels they state themselves, what an http_sd endpoint lists; and the scalers' own metrics at these
 * ports, as deploy/ has it.
 */
export function scrapeListed(
  targetsUrl: string,
  scrapeSeconds: number,
  scalerPorts: readonly number[] = [],
): object {
  const interval = `${scrapeSeconds}s`
  return {
    global: { scrape_interval: interval, scrape_timeout: interval },
    scrape_configs: [
      {
        job_name: 'fleet',
        honor_labels: true,
        http_sd_configs: [{ url: targetsUrl, refresh_interval: '1s' }],
      },
      {
        job_name: 'mixscaler',
        static_configs: [{ targets: scalerPorts.map((port) => `127.0.0.1:${port}`) }],
      },
    ],
  }
}

/** Resolves to the process once it answers. */
async function ready(url: string, flags: readonly string[]): Promise<ChildProcess> {
  const child = spawn('prometheus', [...flags], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    said = `${said}${chunk}`.slice(-2000)
  })
  let failure: string | undefined
  child.once('error', (error) => {
    failure = `prometheus cannot be started (apt-get install prometheus): ${error.message}`
  })
  child.once('exit', (code) => {
    failure = `prometheus ended with ${code}: ${said}`
  })
  const until = Date.now() + startMilliseconds
  while (failure === undefined && Date.now() < until) {
    const { ok } = await fetch(`${url}/-/ready`).catch(() => ({ ok: false }))
    if (ok) return child
    await sleep(100)
  }
  throw new Error(failure ?? `prometheus is not ready after ${startMilliseconds / 1000} s: ${said}`)
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
