// What the counts need to know of a pod, taken from the API's object once when it arrives, so that a cluster of
// ten thousand pods fits in memory and a tick reads plain fields.
import { type GpuCounts, podGpus } from './gpu.ts'
import { condition, epochSeconds, type ObjectMeta, type Pod } from './objects.ts'

export interface PodFacts {
  readonly namespace: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** The workload that made it; absent: a bare pod. */
  readonly workload?: Workload
  /** The LeaderWorkerSet group that it is one pod of. */
  readonly group?: Group
  readonly ready: boolean
  readonly terminating: boolean
  /** Seconds since the epoch. */
  readonly createdAt: number
  /** Set while the scheduler finds no node for it. */
  readonly unschedulable?: { readonly since: number; readonly why: string }
  /** Absent until it is scheduled. */
  readonly node?: string
  readonly gpus: GpuCounts
}

export interface Workload {
  readonly kind: string
  readonly name: string
}

export interface Group {
  readonly set: string
  readonly index: string
  readonly leader: boolean
  /** Pods that make the group whole; 1 where the annotation is missing. */
  readonly size: number
}

const leaderWorkerSet = 'leaderworkerset.sigs.k8s.io'
/** The scheduler's message can list every node's reason; its head says what is short. */
const maxMessageLength = 200

/** Undefined for pods that have ended: they hold nothing and count nowhere. */
export function podFacts(pod: Pod): PodFacts | undefined {
  const { metadata = {}, spec = {}, status = {} } = pod
  if (status.phase === 'Succeeded' || status.phase === 'Failed') return undefined
  const createdAt = epochSeconds(metadata.creationTimestamp) ?? 0
  const workload = workloadOf(metadata)
  const group = groupOf(metadata)
  const unschedulable = unschedulableOf(pod, createdAt)
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    labels: metadata.labels ?? {},
    ...(workload === undefined ? {} : { workload }),
    ...(group === undefined ? {} : { group }),
    ready: condition(status.conditions, 'Ready')?.status === 'True',
    terminating: metadata.deletionTimestamp !== undefined,
    createdAt,
    ...(unschedulable === undefined ? {} : { unschedulable }),
    ...(spec.nodeName === undefined ? {} : { node: spec.nodeName }),
    gpus: podGpus(spec.containers, spec.initContainers),
  }
}

/**
 * Pod to ReplicaSet to Deployment without reading ReplicaSets: a Deployment names each of its ReplicaSets
 * `<deployment>-<hash>` and writes the hash on the pods.
 */
function workloadOf(metadata: ObjectMeta): Workload | undefined {
  const owner = metadata.ownerReferences?.find((reference) => reference.controller === true)
  if (owner === undefined) return undefined
  const hash = metadata.labels?.['pod-template-hash']
  if (owner.kind === 'ReplicaSet' && hash !== undefined && owner.name.endsWith(`-${hash}`)) {
    return { kind: 'Deployment', name: owner.name.slice(0, -hash.length - 1) }
  }
  return { kind: owner.kind, name: owner.name }
}

function groupOf(metadata: ObjectMeta): Group | undefined {
  const set = metadata.labels?.[`${leaderWorkerSet}/name`]
  const index = metadata.labels?.[`${leaderWorkerSet}/group-index`]
  if (set === undefined || index === undefined) return undefined
  return {
    set,
    index,
    leader: metadata.labels?.[`${leaderWorkerSet}/worker-index`] === '0',
    size: Number(metadata.annotations?.[`${leaderWorkerSet}/size`]) || 1,
  }
}

function unschedulableOf(pod: Pod, createdAt: number): PodFacts['unschedulable'] {
  const scheduled = condition(pod.status?.conditions, 'PodScheduled')
  if (scheduled?.status !== 'False' || scheduled.reason !== 'Unschedulable') return undefined
  const why = (scheduled.message ?? 'no node fits').slice(0, maxMessageLength)
  return { since: epochSeconds(scheduled.lastTransitionTime) ?? createdAt, why }
}
