// The command line that gives the same again, for reports that outlive the terminal they were made in.
import type { Flags } from './command.ts'

type GivenValues = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>

/** Flags in the order of their definition, those at their default left out, as are secrets; quoted for a POSIX shell. */
export function commandLine(command: string, flags: Flags, values: GivenValues): string {
  const words = Object.entries(flags).flatMap(([name, flag]) => {
    const value = values[name]
    if (value === undefined || value === false || value === flag.default) return []
    if (value === true) return [`--${name}`]
    if (flag.secret === true) return [`--${name} ${quoted('[left out]')}`]
    const given = typeof value === 'string' ? [value] : value.map(String)
    return given.map((each) =>
      each.startsWith('-') ? `--${name}=${quoted(each)}` : `--${name} ${quoted(each)}`,
    )
  })
  return ['mixscaler', command, ...words].join(' ')
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
