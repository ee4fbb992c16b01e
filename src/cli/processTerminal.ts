// The terminal of this process: its streams, its environment, and the signals that ask it to end.
import type { Terminal } from './command.ts'

export function processTerminal(): Terminal {
  // `mixscaler plan | head` closes the pipe early: that is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  return {
    out: (text) => process.stdout.write(text),
    error: (text) => process.stderr.write(text),
    ...(process.stdout.isTTY ? { columns: process.stdout.columns } : {}),
    env: process.env,
    signal: stopSignal(),
  }
}

/** The first signal asks for a graceful end; the second ends at once, with the shell's code for it. */
function stopSignal(): AbortSignal {
  const stop = new AbortController()
  const onSignal = (code: number) => () => {
    if (stop.signal.aborted) process.exit(code)
    stop.abort()
  }
  process.on('SIGINT', onSignal(130))
  process.on('SIGTERM', onSignal(143))
  return stop.signal
}
