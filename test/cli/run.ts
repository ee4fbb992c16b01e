// The program as a process of its own: what a person at the prompt, a pipe or Kubernetes gets to see.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')

export interface Ended {
  readonly exitCode: number | null
  readonly out: string
  readonly error: string
}

export interface Running {
  readonly child: ChildProcess
  /** What it said on standard error so far. */
  readonly error: () => string
  readonly ended: Promise<Ended>
}

/** Paths in the arguments are relative to the repository's root. No environment but what is given. */
export function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const child = spawn(process.execPath, ['src/main.ts', ...args], { cwd: root, env })
  let out = ''
  let error = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    error += text
  })
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (exitCode) => resolve({ exitCode, out, error }))
  })
  return { child, error: () => error, ended }
}

export function mixscaler(...args: readonly string[]): Promise<Ended> {
  return start(args).ended
}

export function scratch(): string {
  return mkdtempSync(join(tmpdir(), 'mixscaler-cli-'))
}
