// The scaler as its users run it: `mixscaler serve` in a process of its own, its ports read from its log.
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ended } from './prometheus.ts'

export interface RealScaler {
  readonly grpcAddress: string
  readonly httpUrl: string
  /** Its log so far, a parsed line each. */
  readonly log: readonly Readonly<Record<string, unknown>>[]
  /** SIGTERM; resolves to the exit code. */
  readonly stop: () => Promise<number | null>
  readonly kill: () => void
}

export const mainFile = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

const readyMilliseconds = 60_000

/**
 * Ports are free ones unless the flags say otherwise. `through` is the command that starts the command that follows it, if any.
 * Rejects with its output where it does not become ready.
 */
export async function startScaler(
  flags: readonly string[],
  through: readonly string[] = [],
): Promise<RealScaler> {
  const ports = ['--grpc-port', '--http-port'].flatMap((flag) => (flags.includes(flag) ? [] : [flag, '0']))
  const all = [mainFile, 'serve', '--address', '127.0.0.1', ...ports, ...flags]
  const [command = process.execPath, ...rest] = [...through, process.execPath, ...all]
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  const log: Record<string, unknown>[] = []
  const { grpcPort, httpPort } = await portsOf(child, log)
  return {
    grpcAddress: `127.0.0.1:${grpcPort}`,
    httpUrl: `http://127.0.0.1:${httpPort}`,
    log,
    stop: () => ended(child),
    kill: () => child.kill('SIGKILL'),
  }
}

function portsOf(
  child: ChildProcess,
  log: Record<string, unknown>[],
): Promise<{ readonly grpcPort: number; readonly httpPort: number }> {
  const output: string[] = []
  return new Promise((resolve, reject) => {
    const failed = (what: string): void => reject(new Error(`${what}:\n${output.join('\n')}`))
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      failed('serve is not ready')
    }, readyMilliseconds)
    child.once('exit', (code) => failed(`serve ended with ${code}`))
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue
      createInterface({ input: stream }).on('line', (line) => {
        output.push(line)
        const entry = parsed(line)
        if (entry === undefined) return
        log.push(entry)
        const { grpcPort, httpPort } = entry
        if (typeof grpcPort !== 'number' || typeof httpPort !== 'number') return
        clearTimeout(timer)
        resolve({ grpcPort, httpPort })
      })
    }
  })
}

function parsed(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}
