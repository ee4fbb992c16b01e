// Measurements looked at before they are believed: every finding is a sentence with its rows.
import { noData, type Origin, type ProfileData, type Sample } from '../../core/profiles/measurement.ts'
import type { Finding } from './finding.ts'
import { runFindings } from './runs.ts'
import { sweepFindings } from './sweeps.ts'
import { valueFindings } from './values.ts'

/** What is impossible is said once: rows with a value that cannot be are not looked at further. */
export function lint(data: ProfileData): readonly Finding[] {
  const values = valueFindings(data)
  const sound = without(data, values)
  return [...values, ...runFindings(sound.runs), ...sweepFindings(sound.prefill, sound.decode)]
}

/** The data without the rows that the findings drop. */
export function without(data: ProfileData, findings: readonly Finding[]): ProfileData {
  const dropped = new Set<Origin>(findings.flatMap(({ rows, use }) => (use === 'dropped' ? rows : [])))
  const kept = <T extends { readonly origin: Origin }>(rows: readonly T[]): readonly T[] =>
    rows.filter(({ origin }) => !dropped.has(origin))
  return {
    runs: kept(data.runs),
    prefill: kept(data.prefill),
    decode: kept(data.decode),
    laws: kept(data.laws),
  }
}

export function joined(parts: readonly ProfileData[]): ProfileData {
  return parts.reduce<ProfileData>(
    (sum, part) => ({
      runs: [...sum.runs, ...part.runs],
      prefill: [...sum.prefill, ...part.prefill],
      decode: [...sum.decode, ...part.decode],
      laws: [...sum.laws, ...part.laws],
    }),
    noData,
  )
}

export function samplesOf({ runs, prefill, decode }: ProfileData): readonly Sample[] {
  return [
    ...runs.map((run): Sample => ({ kind: 'run', run })),
    ...prefill.map((point): Sample => ({ kind: 'prefill', point })),
    ...decode.map((point): Sample => ({ kind: 'decode', point })),
  ]
}
