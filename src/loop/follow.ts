// What a server tells KEDA while its own past is still being read: the targets on record of another one that knows all of its
// past, under the tick that they are of. What it would decide itself meanwhile may differ from them.
import type { Told } from '../core/observe/ownSeries.ts'
import type { PolicySet, VariantId } from '../core/policy.ts'
import { missing, type Reading } from '../core/reading.ts'
import type { TellableDecision } from './publication.ts'

export interface FollowRules {
  readonly intervalSeconds: number
  readonly evaluationDelaySeconds: number
  /** The age from which on gauges no longer count: at least two scrape intervals. */
  readonly sampleMaxAgeSeconds: number
}

/**
 * The newest decision on record by the same policies, of `digest`. Undefined where there is none that is fresh, where it tells of a
 * variant neither a target nor that there is none, and where servers differ on that tick. `now` in seconds since the epoch.
 */
export function followed(
  { policies }: PolicySet,
  digest: number,
  record: readonly Told[],
  now: number,
  rules: FollowRules,
): TellableDecision | undefined {
  const fresh = freshSeconds(policies, rules)
  const peers = record.filter((told) => told.policies === digest && Math.abs(now - told.at) <= fresh)
  const at = Math.max(...peers.map((told) => told.at))
  const [first, ...others] = peers.filter((told) => told.at === at)
  if (first === undefined) return undefined
  const targetOf = (id: VariantId): Reading | undefined => {
    const target = first.targets[id]
    return others.every(({ targets }) => isSame(targets[id], target)) ? target : undefined
  }
  const told = policies.map(({ variants }) => ({
    variants: variants.flatMap(({ id }) => {
      const target = targetOf(id)
      return target === undefined ? [] : [{ id, target, replicas: missing('noSeries') }]
    }),
  }))
  const complete = policies.every(({ variants }, index) => variants.length === told[index]?.variants.length)
  return complete ? { at, policies: told } : undefined
}

function isSame(one: Reading | undefined, other: Reading | undefined): boolean {
  return typeof one === 'object' && typeof other === 'object' ? true : one === other
}

/**
 * A server that decides shows no older tick: it looks at the next one after the interval and the delay, and is scraped twice before
 * a gauge is too old to count. What is beyond a staleness budget, nobody is told.
 */
function freshSeconds(
  policies: PolicySet['policies'],
  { intervalSeconds, evaluationDelaySeconds, sampleMaxAgeSeconds }: FollowRules,
): number {
  const budgets = policies.map(({ behavior }) => behavior.stalenessBudgetSeconds)
  return Math.min(intervalSeconds + evaluationDelaySeconds + sampleMaxAgeSeconds, ...budgets)
}
