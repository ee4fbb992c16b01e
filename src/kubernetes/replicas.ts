// From pods to replicas: which pods are a scale target's, and how many replicas they make. A replica is a pod,
// or, where pods come in LeaderWorkerSet groups, the whole group.
import type { ReplicaCounts, UnschedulableReplicas } from '../core/observation.ts'
import type { ScaleTarget } from '../core/policy.ts'
import { isMissing, type Reading } from '../core/reading.ts'
import type { PodFacts } from './pods.ts'
import { parseSelector } from './selector.ts'

/** What the scale subresource says. */
export interface ScaleFacts {
  readonly desired: number
  /** Empty where the resource has none. */
  readonly selector: string
}

/** A target's pods. The scale is needed for its selector only: missing, it leaves custom resources' pods unknown. */
type PodsOf = (
  namespace: string,
  target: ScaleTarget,
  scale: Reading<ScaleFacts>,
) => Reading<readonly PodFacts[]>

/** Kinds that name themselves on every pod they make. */
const ownerKinds = ['Deployment', 'StatefulSet', 'LeaderWorkerSet']

/**
 * Ownership decides where it can be told, because hand-written selectors overlap (`app: vllm` on two
 * Deployments); else the selector; without one, the pods that the target itself made. One pass over all pods.
 */
export function podIndex(pods: Iterable<PodFacts>): PodsOf {
  const byOwner = new Map<string, PodFacts[]>()
  const byNamespace = new Map<string, PodFacts[]>()
  for (const pod of pods) {
    append(byNamespace, pod.namespace, pod)
    if (pod.group !== undefined) {
      append(byOwner, `${pod.namespace}/LeaderWorkerSet/${pod.group.set}`, pod)
    } else if (pod.workload !== undefined) {
      append(byOwner, `${pod.namespace}/${pod.workload.kind}/${pod.workload.name}`, pod)
    }
  }
  return (namespace, target, scale) => {
    const owned = byOwner.get(`${namespace}/${target.kind}/${target.name}`) ?? []
    if (ownerKinds.includes(target.kind)) return owned
    if (isMissing(scale)) return scale
    const matches = parseSelector(scale.selector)
    return matches === undefined
      ? owned
      : (byNamespace.get(namespace) ?? []).filter((pod) => matches(pod.labels))
  }
}

/** Every replica is ready, starting or terminating: the three add up to the replicas that have a pod. */
export function replicaCounts(desired: number, pods: readonly PodFacts[]): ReplicaCounts {
  const replicas = assemble(pods)
  const starting = replicas.filter((replica) => replica.phase === 'starting')
  const unschedulable = unschedulableReplicas(starting)
  return {
    desired,
    ready: replicas.filter((replica) => replica.phase === 'ready').length,
    starting: starting.length,
    terminating: replicas.filter((replica) => replica.phase === 'terminating').length,
    ...(starting.length === 0
      ? {}
      : { startingSince: starting.map((replica) => replica.createdAt).toSorted((a, b) => a - b) }),
    ...(unschedulable === undefined ? {} : { unschedulable }),
  }
}

interface Replica {
  readonly phase: 'ready' | 'starting' | 'terminating'
  readonly createdAt: number
  readonly waits: readonly { readonly since: number; readonly why: string }[]
}

function assemble(pods: readonly PodFacts[]): readonly Replica[] {
  const groups = new Map<string, PodFacts[]>()
  for (const pod of pods) {
    const { group } = pod
    append(groups, group === undefined ? `pod/${pod.name}` : `group/${group.set}/${group.index}`, pod)
  }
  return [...groups.values()].map((members) => ({
    phase: phaseOf(members),
    createdAt: Math.min(...members.map((pod) => pod.createdAt)),
    waits: members.flatMap((pod) => (pod.unschedulable === undefined ? [] : [pod.unschedulable])),
  }))
}

/** A group goes when its leader goes, and serves when all its pods are there and ready. */
function phaseOf(members: readonly PodFacts[]): Replica['phase'] {
  const leaderGoes = members.some((pod) => pod.terminating && (pod.group?.leader ?? true))
  if (leaderGoes || members.every((pod) => pod.terminating)) return 'terminating'
  const size = Math.max(...members.map((pod) => pod.group?.size ?? 1))
  const whole = members.filter((pod) => pod.ready && !pod.terminating).length >= size
  return whole ? 'ready' : 'starting'
}

function unschedulableReplicas(starting: readonly Replica[]): UnschedulableReplicas | undefined {
  const waiting = starting.filter((replica) => replica.waits.length > 0)
  const oldest = waiting
    .flatMap((replica) => replica.waits)
    .toSorted((a, b) => a.since - b.since || (a.why < b.why ? -1 : 1))[0]
  return oldest === undefined ? undefined : { replicas: waiting.length, since: oldest.since, why: oldest.why }
}

function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
