// Files of measurements as the profile commands take them: by path, with what the files do not say added by flags.
import { readFile, stat } from 'node:fs/promises'
import { mostFileBytes, type ReadMeasurements, readMeasurements } from '../profiling/measurements.ts'
import type { Given } from '../profiling/setup.ts'
import { Unreadable } from '../profiling/unreadable.ts'
import type { Flag } from './command.ts'
import { CommandError, exitCodes, usageError } from './exit.ts'

export const setupFlags = {
  model: {
    type: 'string',
    placeholder: 'NAME',
    text: 'the model, where the files do not say or say it wrong',
  },
  gpu: { type: 'string', placeholder: 'NAME', text: 'the GPU, likewise: h100, l40s, mi300x' },
  tp: { type: 'string', placeholder: 'N', text: 'GPUs per replica (tensor parallel), likewise' },
} as const satisfies Readonly<Record<string, Flag>>

export function givenSetup(values: {
  readonly model?: string | undefined
  readonly gpu?: string | undefined
  readonly tp?: string | undefined
}): Given {
  const { model, gpu, tp } = values
  return {
    ...(model === undefined ? {} : { model }),
    ...(gpu === undefined ? {} : { gpu }),
    ...(tp === undefined ? {} : { tp: countFlag('tp', tp) }),
  }
}

/** A whole number, 1 or more. */
export function countFlag(flag: string, text: string): number {
  const count = Number(text)
  if (/^\d+$/.test(text) && count >= 1 && count <= 1e9) return count
  throw usageError(`--${flag} must be a whole number, at least 1: got "${text}"`)
}

export type ReadFile =
  | ({ readonly kind: 'read'; readonly file: string } & ReadMeasurements)
  | { readonly kind: 'unreadable'; readonly file: string; readonly why: string }

/** Each file, or why it is none. Throws CommandError where there are none, or one cannot be opened. */
export async function readFiles(files: readonly string[], given: Given): Promise<readonly ReadFile[]> {
  if (files.length === 0) throw usageError('no files: name the results of a benchmark')
  return Promise.all(files.map((file) => readOne(file, given)))
}

/** The same, where a file that is none ends the command. */
export async function requireFiles(
  files: readonly string[],
  given: Given,
): Promise<readonly (ReadFile & { readonly kind: 'read' })[]> {
  const all = await readFiles(files, given)
  const wrong = all.flatMap((each) => (each.kind === 'unreadable' ? [each.why] : []))
  if (wrong.length > 0) throw new CommandError(exitCodes.failed, wrong.join('\n'))
  return all.flatMap((each) => (each.kind === 'read' ? [each] : []))
}

async function readOne(file: string, given: Given): Promise<ReadFile> {
  try {
    const { size } = await stat(file)
    // The reader says so with its sizes; a larger file is not even loaded.
    const bytes = size > mostFileBytes ? new Uint8Array(mostFileBytes + 1) : await readFile(file)
    return { kind: 'read', file, ...readMeasurements({ name: file, bytes }, given) }
  } catch (error) {
    if (error instanceof Unreadable) return { kind: 'unreadable', file, why: error.message }
    const why = error instanceof Error ? error.message : String(error)
    throw new CommandError(exitCodes.failed, `${file} cannot be read: ${why}`, { cause: error })
  }
}
