// The policies in force: reloaded when the files change, replaced only by a set without problems. Contents are
// compared, not file events or times: a ConfigMap mount swaps symbolic links, which neither shows reliably.
import type { PolicySet } from '../core/policy.ts'

/** What stands on disk: a fingerprint of every file's name and contents, and how to make policies of it. */
export interface PolicyFiles {
  readonly fingerprint: string
  readonly load: () => LoadedPolicies
}

export type LoadedPolicies =
  | { readonly kind: 'good'; readonly policies: PolicySet; readonly warnings: readonly string[] }
  /** One sentence each, with file, line and column. */
  | { readonly kind: 'bad'; readonly problems: readonly string[] }

/** Policies in force, and the contents that they came from. */
export interface PoliciesInForce {
  readonly policies: PolicySet
  readonly warnings: readonly string[]
  readonly fingerprint: string
}

export interface PolicyStatus {
  /** When the policies in force were loaded, seconds since the epoch. */
  readonly loadedAt: number
  /** Why the newest files are not in force; empty when they are. */
  readonly problems: readonly string[]
  /** What is allowed in the policies in force, and probably not meant. */
  readonly warnings: readonly string[]
}

export interface PolicyStore {
  /** The policies in force, after a look at the files. Never rejects. */
  readonly refresh: () => Promise<PolicySet>
  readonly current: () => PolicySet
  readonly status: () => PolicyStatus
}

interface PolicyStorePorts {
  /** Rejects where the files cannot be read. */
  readonly read: () => Promise<PolicyFiles>
  readonly now: () => number
  /** Called after each change: new policies in force, other problems, or none any more. */
  readonly changed: (policies: PolicySet, status: PolicyStatus) => void
}

export function policyStore(ports: PolicyStorePorts, initial: PoliciesInForce): PolicyStore {
  let policies = initial.policies
  let status: PolicyStatus = { loadedAt: ports.now(), problems: [], warnings: initial.warnings }
  let seen = initial.fingerprint

  function settle(next: PolicySet, nextStatus: PolicyStatus): void {
    policies = next
    status = nextStatus
    ports.changed(policies, status)
  }

  function refuse(problems: readonly string[]): void {
    if (problems.join('\n') !== status.problems.join('\n')) settle(policies, { ...status, problems })
  }

  async function look(): Promise<void> {
    const files = await ports.read()
    if (files.fingerprint === seen) return
    // Files may be changing right now: what does not read the same twice waits for the next look.
    const again = await ports.read()
    if (again.fingerprint !== files.fingerprint) return
    const loaded = files.load()
    seen = files.fingerprint
    if (loaded.kind === 'bad') return refuse(loaded.problems)
    settle(loaded.policies, { loadedAt: ports.now(), problems: [], warnings: loaded.warnings })
  }

  return {
    refresh: async () => {
      try {
        await look()
      } catch (error) {
        // Unreadable is not "seen": the same contents, readable again, clear the problem.
        seen = ''
        refuse([`policies cannot be read: ${error instanceof Error ? error.message : String(error)}`])
      }
      return policies
    },
    current: () => policies,
    status: () => status,
  }
}
