// Why a variant has no value. What Kubernetes counts, when the newest sample was taken and whether targets
// answer decide it: "nothing runs", "too old", "the scrape fails" and "nobody knows it" ask for different acts.
import type { ReplicaCounts } from '../observation.ts'
import { isMissing, type Missing, missing, type Reading } from '../reading.ts'

export interface Evidence {
  /** From Kubernetes, where it was asked. */
  readonly counts: Reading<ReplicaCounts> | undefined
  readonly reporting: Reading
  /** Time of the newest sample of any of its replicas. */
  readonly newestAt: Reading
  readonly targets: Reading
  readonly targetsUp: Reading
}

/** The newest sample is too old: whatever else is known about the variant is of the past. */
export function staleness(
  { newestAt }: Evidence,
  at: number,
  sampleMaxAgeSeconds: number,
): Missing | undefined {
  if (isMissing(newestAt) || at - newestAt <= sampleMaxAgeSeconds) return undefined
  return missing('stale', `newest sample ${Math.round(at - newestAt)} s old`)
}

/** Why the metric called `name` has no series. */
export function absence(evidence: Evidence, name: string, reportedBy: 'everyVersion' | 'some'): Missing {
  const { counts, reporting, targets, targetsUp } = evidence
  if (!isMissing(reporting) && reporting > 0) {
    return reportedBy === 'some'
      ? missing('notReported', name)
      : missing('noSeries', `${name}: too few samples within the window`)
  }
  if (counts !== undefined && !isMissing(counts) && counts.ready + counts.terminating === 0) {
    return missing('noReplicas', counts.starting === 0 ? name : `${name}: ${counts.starting} starting`)
  }
  if (isMissing(reporting) && reporting.missing === 'backendDown') return reporting
  if (!isMissing(targets) && !isMissing(targetsUp) && targetsUp < targets) {
    return missing('notScraped', `${targets - targetsUp} of ${targets} targets do not answer`)
  }
  return missing('noSeries', name)
}
