// How far a long computation is, for whoever waits at a terminal. Nothing where it is quick, or nobody watches.
import { type Clock, systemClock } from '../loop/clock.ts'
import type { Terminal } from './command.ts'

const patienceSeconds = 2

export interface Progress {
  /** So many parts are done. */
  readonly done: (parts: number) => void
  /** Takes the line away. */
  readonly end: () => void
}

export function progress(
  terminal: Terminal,
  what: string,
  parts: number,
  clock: Pick<Clock, 'now'> = systemClock,
): Progress {
  const startedAt = clock.now()
  let line = ''
  const say = (text: string): void => {
    if (line !== '' || text !== '') terminal.error(`\r${text.padEnd(line.length)}${text === '' ? '\r' : ''}`)
    line = text
  }
  return {
    done: (count) => {
      if (terminal.columns === undefined || clock.now() - startedAt < patienceSeconds) return
      say(`${what}: ${count} of ${parts}`)
    },
    end: () => say(''),
  }
}
