// Logs: one JSON object per line, or readable lines on a terminal, always on stderr, so that stdout stays data.
import { pino } from 'pino'
import { PinoPretty } from 'pino-pretty'

export const logLevels = ['debug', 'info', 'warn', 'error'] as const

export type LogLevel = (typeof logLevels)[number]

/** Fields are names, numbers and sentences; nothing secret is ever handed to a log function. */
export type Log = (fields: Readonly<Record<string, unknown>>, message: string) => void

export type Logger = Readonly<Record<LogLevel, Log>>

export type LogFormat = 'pretty' | 'json'

export function createLogger(level: LogLevel, format: LogFormat): Logger {
  const base = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  const logger =
    format === 'pretty'
      ? pino(
          base,
          PinoPretty({ destination: 2, sync: true, translateTime: 'HH:MM:ss', ignore: 'pid,hostname' }),
        )
      : pino(
          { ...base, formatters: { level: (label) => ({ level: label }) } },
          pino.destination({ dest: 2, sync: true }),
        )
  const at =
    (name: LogLevel): Log =>
    (fields, message) =>
      logger[name](fields, message)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
