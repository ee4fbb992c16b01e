// Every peer that a site is compared with, its grid laid out for the site's variants and its busiest minute.
import type { ClassId, PolicySet } from '../../core/policy.ts'
import { aibrixApaPeer } from './aibrixApa.ts'
import { arrangements } from './arrangement.ts'
import { dynamoPlannerPeer } from './dynamoPlanner.ts'
import { kedaWaitingPeer } from './kedaWaiting.ts'
import { kserveRunningPeer } from './kserveRunning.ts'
import { llmdSaturationPeer } from './llmdSaturation.ts'
import type { Configuration, Peer } from './peer.ts'
import { countsFor, staticPeer } from './staticFleet.ts'

/** Floors for a rule that only ever reacts too late: steps of about a fifth, the same on every site. */
const floors = [1, 2, 3, 4, 6, 8, 10, 12, 15, 18, 22, 26, 31, 37, 45, 54, 65, 78, 94]

/** `peak`: requests per second of each class in its busiest minute. Arrangements are those of the first policy. */
export function peersOf({ policies }: PolicySet, peak: Readonly<Record<ClassId, number>>): readonly Peer[] {
  const [policy] = policies
  if (policy === undefined) throw new RangeError('a site without policies has nothing to scale')
  const names = arrangements(policy).map(({ name }) => name)
  /** Up to a fifth more than the peak takes, on the larger leg of a pair. */
  const floorsOf = (arrangement: string): readonly number[] => {
    const parameters = { arrangement, requestsPerSecond: peak, share: 1.2 }
    const most = Math.max(...Object.values(countsFor(policy, parameters)))
    return floors.filter((floor) => floor === 1 || (floor >= most / 4 && floor <= most))
  }
  return [
    staticPeer(names, peak),
    kedaWaitingPeer(names, floorsOf),
    kserveRunningPeer(names),
    llmdSaturationPeer(names),
    dynamoPlannerPeer(names),
    aibrixApaPeer(names),
  ]
}

/** Each autoscaler as it ships, on the cheapest arrangement of every policy. */
export const shippedPeers: Readonly<Record<string, Configuration>> = Object.fromEntries(
  [
    kedaWaitingPeer([], () => []),
    kserveRunningPeer([]),
    llmdSaturationPeer([]),
    dynamoPlannerPeer([]),
    aibrixApaPeer([]),
  ].map(({ name, shipped }) => [name, shipped]),
)
