// What was seen and decided at every tick, on disk, so that any decision can be taken again later. Bounded in size,
// written behind the loop: a disk that is full, slow or gone costs lines of the journal and never a decision.
import { appendFile, rename, rm, stat } from 'node:fs/promises'
import type { PolicySet } from '../core/policy.ts'
import type { State } from '../core/state.ts'
import { digest } from './digest.ts'
import { type JournalLine, journalFormat } from './journalLines.ts'
import type { DecidedTick } from './tick.ts'

export interface JournalOptions {
  readonly file: string
  /** A file is followed by the next one before it would exceed this. */
  readonly maxBytes: number
  /** All together; the oldest goes. */
  readonly files: number
  /** Of the program. */
  readonly version: string
}

export interface JournalPorts {
  /** Told of each tick that is not in the journal. */
  readonly failed: (why: string) => void
  /** Told of each tick that is. */
  readonly written: () => void
}

export interface Journal {
  /** Returns at once. */
  readonly record: (tick: DecidedTick) => void
  /** Resolves when all that was recorded is written, or given up. */
  readonly close: () => Promise<void>
}

/** Ticks that may wait for the disk. */
const mostWaiting = 4

export function openJournal(options: JournalOptions, ports: JournalPorts): Journal {
  const chain = new Chain(options.version)
  let size: number | undefined
  let waiting = 0
  let writing: Promise<void> = Promise.resolve()

  async function write(tick: DecidedTick): Promise<void> {
    try {
      size ??= await sizeOf(options.file)
      let text = chain.textOf(tick, size)
      if (size > 0 && size + Buffer.byteLength(text) > options.maxBytes) {
        await rotate(options)
        size = 0
        chain.restart()
        text = chain.textOf(tick, size)
      }
      await appendFile(options.file, text)
      size += Buffer.byteLength(text)
      chain.follow(tick)
      ports.written()
    } catch (error) {
      // What is on disk now is not known: the next line stands for itself again.
      size = undefined
      chain.restart()
      ports.failed(error instanceof Error ? error.message : String(error))
    }
  }

  return {
    record: (tick) => {
      if (waiting >= mostWaiting) return ports.failed('the disk is slower than the ticks')
      waiting += 1
      writing = writing
        .then(() => write(tick))
        .finally(() => {
          waiting -= 1
        })
    },
    close: () => writing,
  }
}

/** Which lines a tick needs before its own, given those that stand in the file already. */
class Chain {
  private readonly version: string
  private policies: { readonly set: PolicySet; readonly digest: string } | undefined
  private after: { readonly state: State; readonly digest: string } | undefined
  private begun: 'begun' | 'new' = 'new'

  constructor(version: string) {
    this.version = version
  }

  restart(): void {
    this.begun = 'new'
  }

  textOf({ policies, before, observation, decision }: DecidedTick, size: number): string {
    const inForce = this.policies?.set === policies ? this.policies : named(policies)
    const state = this.after?.state === before ? this.after : stated(before)
    const lines: JournalLine[] = []
    if (this.begun === 'new') lines.push({ kind: 'writer', format: journalFormat, version: this.version })
    if (this.begun === 'new' || inForce.digest !== this.policies?.digest)
      lines.push({ kind: 'policies', digest: inForce.digest, policies })
    if (this.begun === 'new' || state.digest !== this.after?.digest)
      lines.push({ kind: 'state', digest: state.digest, state: before })
    const { at } = decision
    lines.push({ kind: 'tick', at, policies: inForce.digest, before: state.digest, observation, decision })
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
    // A writer before this one may have ended in the middle of a line.
    return this.begun === 'new' && size > 0 ? `\n${text}` : text
  }

  follow({ policies, state }: DecidedTick): void {
    this.begun = 'begun'
    this.policies = this.policies?.set === policies ? this.policies : named(policies)
    this.after = stated(state)
  }
}

function named(set: PolicySet) {
  return { set, digest: digest(JSON.stringify(set)) }
}

function stated(state: State) {
  return { state, digest: digest(JSON.stringify(state)) }
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size
  } catch (error) {
    if (isAbsent(error)) return 0
    throw error
  }
}

/** FILE becomes FILE.1, FILE.1 becomes FILE.2, and so on. */
async function rotate({ file, files }: JournalOptions): Promise<void> {
  await rm(olderFile(file, files - 1), { force: true })
  for (let age = files - 2; age >= 0; age--) {
    try {
      await rename(olderFile(file, age), olderFile(file, age + 1))
    } catch (error) {
      if (!isAbsent(error)) throw error
    }
  }
  if (files === 1) await rm(file, { force: true })
}

/** 0 is the file that is being written. */
export function olderFile(file: string, age: number): string {
  return age === 0 ? file : `${file}.${age}`
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
