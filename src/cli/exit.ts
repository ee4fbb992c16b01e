// What a command's exit code means, and the errors that carry one: scripts and CI read these numbers.

export const exitCodes = { good: 0, failed: 1, usage: 2, invalidPolicy: 3, limitBroken: 4 } as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** A foreseen failure: its message is for the person at the prompt, and says what to do. */
export class CommandError extends Error {
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CommandError'
    this.exitCode = exitCode
  }
}

export function usageError(message: string): CommandError {
  return new CommandError(exitCodes.usage, message)
}
