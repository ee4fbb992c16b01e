// Policies from disk: one file, or a directory as an editor, git or a ConfigMap mount leaves it.
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ResolveProfile } from '../core/profile.ts'
import { type LoadedPolicies, loadPolicies } from './load.ts'
import { compareText } from './problem.ts'
import { maxFileBytes, type PolicyFile } from './tree.ts'

/** What stands at the path cannot be read as text; the message says what and why. */
export class UnreadablePolicies extends Error {
  override readonly name = 'UnreadablePolicies'
}

/** Rejects with UnreadablePolicies. */
export async function loadPoliciesFrom(
  path: string,
  resolveProfile: ResolveProfile,
): Promise<LoadedPolicies> {
  return loadPolicies(await readPolicyFiles(path), resolveProfile)
}

/** The file itself, or the `*.yaml` and `*.yml` of the directory by name. Rejects with UnreadablePolicies. */
export async function readPolicyFiles(path: string): Promise<readonly PolicyFile[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [await readPolicyFile(path)]
    // A ConfigMap mount keeps its data under `..2026_10_01`, linked from `..data` and again from each name.
    const names = (await readdir(path)).filter((name) => /^[^.].*\.ya?ml$/.test(name)).sort(compareText)
    return await Promise.all(names.map((name) => readPolicyFile(join(path, name))))
  } catch (error) {
    if (error instanceof UnreadablePolicies) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new UnreadablePolicies(`policies at ${path} cannot be read: ${why}`, { cause: error })
  }
}

async function readPolicyFile(file: string): Promise<PolicyFile> {
  const { size } = await stat(file)
  if (size > maxFileBytes)
    throw new UnreadablePolicies(`${file} is too large for a policy: ${size} bytes, at most ${maxFileBytes}`)
  return { file, text: await readFile(file, 'utf8') }
}
