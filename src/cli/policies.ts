// Policies as every command gets them: from a file or directory, checked whole, each problem with its place.
import { createHash } from 'node:crypto'
import { resolveFrom } from '../core/profiles/library.ts'
import { measuredProfiles } from '../core/profiles/measured.ts'
import type { PoliciesInForce, PolicyFiles } from '../loop/policyStore.ts'
import { readPolicyFiles, UnreadablePolicies } from '../policy/files.ts'
import { type LoadedPolicies, loadPolicies } from '../policy/load.ts'
import { problemExcerpt, problemText } from '../policy/problem.ts'
import type { PolicyFile } from '../policy/tree.ts'
import type { Flag } from './command.ts'
import { CommandError, exitCodes, usageError } from './exit.ts'

const resolveProfile = resolveFrom(measuredProfiles)

export const policyFlag = {
  type: 'string',
  short: 'p',
  placeholder: 'PATH',
  text: 'policy file, or directory of *.yaml (required)',
} as const satisfies Flag

/** What the files at the path say, or what is wrong with them. Throws CommandError where they cannot be read. */
export async function loadPoliciesAt(
  path: string | undefined,
): Promise<{ readonly loaded: LoadedPolicies; readonly fingerprint: string }> {
  if (path === undefined) throw usageError('--policy is missing: name a policy file or a directory of them')
  try {
    const files = await readPolicyFiles(path)
    return { loaded: loadPolicies(files, resolveProfile), fingerprint: fingerprintOf(files) }
  } catch (error) {
    if (error instanceof UnreadablePolicies)
      throw new CommandError(exitCodes.failed, error.message, { cause: error })
    throw error
  }
}

/** For commands that cannot go on with a bad file: throws CommandError with every problem. */
export async function requirePolicies(path: string | undefined): Promise<PoliciesInForce> {
  const { loaded, fingerprint } = await loadPoliciesAt(path)
  if (loaded.kind === 'loaded')
    return { policies: loaded.policies, warnings: loaded.warnings.map(problemText), fingerprint }
  const problems = loaded.problems.map(problemExcerpt).join('\n\n')
  throw new CommandError(exitCodes.invalidPolicy, `the policies are not valid:\n\n${problems}`)
}

/** The files at a path, for the store that reloads them. Rejects where they cannot be read. */
export async function policyFilesAt(path: string): Promise<PolicyFiles> {
  const files = await readPolicyFiles(path)
  return {
    fingerprint: fingerprintOf(files),
    load: () => {
      const loaded = loadPolicies(files, resolveProfile)
      return loaded.kind === 'loaded'
        ? { kind: 'good', policies: loaded.policies, warnings: loaded.warnings.map(problemText) }
        : { kind: 'bad', problems: loaded.problems.map(problemText) }
    },
  }
}

function fingerprintOf(files: readonly PolicyFile[]): string {
  const hash = createHash('sha256')
  for (const { file, text } of files) hash.update(JSON.stringify([file, text]))
  return hash.digest('hex')
}
