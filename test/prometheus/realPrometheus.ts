// Debian's prometheus, started for a test on a free port with its data in a folder that goes away with it.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

export interface RealPrometheus {
  readonly url: string
  readonly stop: () => Promise<void>
}

/** `config` is prometheus.yml as data; YAML reads JSON. Rejects with the remedy where the program is missing. */
export async function startPrometheus(config: unknown): Promise<RealPrometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'mixscaler-prometheus-'))
  const configFile = join(folder, 'prometheus.yml')
  writeFileSync(configFile, JSON.stringify(config))
  const address = `127.0.0.1:${await freePort()}`
  const child = spawn(
    'prometheus',
    [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
      '--log.level=warn',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk}`.slice(-2000)
  })
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) =>
      resolve(`prometheus cannot be started (apt-get install prometheus): ${error.message}`),
    )
    child.on('exit', (code) => resolve(`prometheus ended with ${code}: ${said}`))
  })
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  const url = `http://${address}`
  const failed = await Promise.race([ended, ready(url)])
  if (failed !== undefined) {
    rmSync(folder, { recursive: true, force: true })
    throw new Error(failed)
  }
  return { url, stop }
}

/** Resolves without a value once Prometheus answers. */
async function ready(url: string): Promise<undefined> {
  for (;;) {
    const { ok } = await fetch(`${url}/-/ready`).catch(() => ({ ok: false }))
    if (ok) return undefined
    await wait(100)
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (typeof address !== 'object' || address === null) throw new Error('no free port')
  return address.port
}
