// Refusals for the log: each distinct one when it first happens, then once per interval with the number of
// those in between. KEDA asks again every few seconds, for every ScaledObject: without this an outage of a
// minute would be thousands of equal lines.
import type { RefusalCode } from './answers.ts'
import type { Clock } from './clock.ts'

export interface Problem {
  readonly method: string
  readonly code: RefusalCode
  readonly text: string
  /** The ScaledObject that happened to ask. */
  readonly namespace: string
  readonly name: string
}

export interface ReportedProblem extends Problem {
  /** Equal ones since the last report. */
  readonly suppressed: number
}

const intervalMilliseconds = 60_000
/** Distinct problems per interval; what goes beyond is a flood and not news. */
const maxDistinct = 100

export function reportOnce(
  report: (problem: ReportedProblem) => void,
  clock: Clock,
): (problem: Problem) => void {
  // Oldest report first, as Map keeps the order of insertion.
  const reported = new Map<string, { readonly at: number; suppressed: number }>()
  return (problem) => {
    // "the last decision is 61 s old" and "... 62 s old" are one problem.
    const key = `${problem.code} ${problem.text.replace(/\d+/g, '0')}`
    const at = clock.now()
    const earlier = reported.get(key)
    if (earlier !== undefined && at - earlier.at < intervalMilliseconds) {
      earlier.suppressed += 1
      return
    }
    reported.delete(key)
    const [oldest] = reported
    if (oldest !== undefined && reported.size >= maxDistinct) {
      if (at - oldest[1].at < intervalMilliseconds) return
      reported.delete(oldest[0])
    }
    reported.set(key, { at, suppressed: 0 })
    report({ ...problem, suppressed: earlier?.suppressed ?? 0 })
  }
}
