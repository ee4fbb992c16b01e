// Every peer that a site is compared with, its grid laid out for the site's variants and its busiest minute.
import type { ClassId, PolicySet } from '../../core/policy.ts'
import { aibrixApaPeer } from './aibrixApa.ts'
import { arrangements } from './arrangement.ts'
import { dynamoPlannerPeer } from './dynamoPlanner.ts'
import { kedaWaitingPeer } from './kedaWaiting.ts'
import { kserveRunningPeer } from './kserveRunning.ts'
import { llmdSaturationPeer } from './llmdSaturation.ts'
import type { Peer } from './peer.ts'
import { countsFor, staticPeer } from './staticFleet.ts'

/** Floors for a rule that only ever reacts too late, as shares of the fleet at the peak. */
const floorShares = [0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1]

/** `peak`: requests per second of each class in its busiest minute. Arrangements are those of the first policy. */
export function peersOf({ policies }: PolicySet, peak: Readonly<Record<ClassId, number>>): readonly Peer[] {
  const [policy] = policies
  if (policy === undefined) throw new RangeError('a site without policies has nothing to scale')
  const names = arrangements(policy).map(({ name }) => name)
  /** Of the larger leg of a pair. */
  const floorsOf = (arrangement: string): readonly number[] => [
    ...new Set(
      floorShares.map((share) =>
        Math.max(1, ...Object.values(countsFor(policy, { arrangement, requestsPerSecond: peak, share }))),
      ),
    ),
  ]
  return [
    staticPeer(names, peak),
    kedaWaitingPeer(names, floorsOf),
    kserveRunningPeer(names),
    llmdSaturationPeer(names),
    dynamoPlannerPeer(names),
    aibrixApaPeer(names),
  ]
}
