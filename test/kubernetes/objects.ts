// Hand-written API objects: the fields that the reader looks at, with the names that real clusters use.
import type { PolicySet, ScaleTarget, Variant } from '../../src/core/policy.ts'
import type { Condition, Node, Pod, ScaledObject } from '../../src/kubernetes/objects.ts'
import { behavior } from '../behavior.ts'

export interface PodOptions {
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly owner?: { readonly kind: string; readonly name: string }
  readonly ready?: boolean
  readonly phase?: string
  readonly deleted?: boolean
  readonly created?: string
  readonly node?: string
  readonly gpus?: Readonly<Record<string, string>>
  readonly conditions?: readonly Condition[]
}

export function pod(name: string, options: PodOptions = {}): Pod {
  const ready = options.ready ?? true
  return {
    metadata: {
      name,
      namespace: options.namespace ?? 'chat',
      creationTimestamp: options.created ?? '2026-03-01T10:00:00Z',
      ...(options.deleted === true ? { deletionTimestamp: '2026-03-01T11:00:00Z' } : {}),
      labels: options.labels ?? {},
      annotations: options.annotations ?? {},
      ...(options.owner === undefined ? {} : { ownerReferences: [{ ...options.owner, controller: true }] }),
    },
    spec: {
      ...(options.node === undefined ? {} : { nodeName: options.node }),
      containers: [{ resources: { limits: options.gpus ?? {} } }],
    },
    status: {
      phase: options.phase ?? 'Running',
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }, ...(options.conditions ?? [])],
    },
  }
}

/** A pod as a Deployment makes it: through a ReplicaSet whose hash stands on the pod. */
export function deploymentPod(deployment: string, suffix: string, options: PodOptions = {}): Pod {
  const hash = '7c9d5b8f4'
  return pod(`${deployment}-${hash}-${suffix}`, {
    ...options,
    labels: { app: 'vllm', 'pod-template-hash': hash, ...options.labels },
    owner: { kind: 'ReplicaSet', name: `${deployment}-${hash}` },
  })
}

/** Pod `worker` of group `group`; worker 0 is the leader. */
export function groupPod(set: string, group: number, worker: number, options: PodOptions = {}): Pod {
  const prefix = 'leaderworkerset.sigs.k8s.io'
  return pod(worker === 0 ? `${set}-${group}` : `${set}-${group}-${worker}`, {
    ...options,
    labels: {
      [`${prefix}/name`]: set,
      [`${prefix}/group-index`]: String(group),
      [`${prefix}/worker-index`]: String(worker),
      ...options.labels,
    },
    annotations: { [`${prefix}/size`]: '2' },
    owner: { kind: 'StatefulSet', name: worker === 0 ? set : `${set}-${group}` },
  })
}

export function unschedulable(since: string, message: string): Condition {
  return {
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    lastTransitionTime: since,
    message,
  }
}

export function gpuNode(
  name: string,
  product: string,
  allocatable: Readonly<Record<string, string>>,
  change: Node = {},
): Node {
  return {
    metadata: { name, labels: { 'nvidia.com/gpu.product': product }, ...change.metadata },
    spec: { ...change.spec },
    status: { allocatable, conditions: [{ type: 'Ready', status: 'True' }], ...change.status },
  }
}

export const deployment = (name: string): ScaleTarget => ({ apiVersion: 'apps/v1', kind: 'Deployment', name })

/** One policy `chat/llama` with these variants; pools as the policies name them. */
export function policySet(
  variants: readonly { readonly name: string; readonly target: ScaleTarget; readonly pool: string }[],
  pools: PolicySet['pools'] = [],
): PolicySet {
  return {
    policies: [
      {
        id: 'chat/llama',
        name: 'llama',
        namespace: 'chat',
        model: 'llama',
        servedNames: ['llama'],
        classes: [],
        variants: variants.map(variantOf),
        behavior,
      },
    ],
    pools,
    alsoAllowed: {},
  }
}

function variantOf({ name, target, pool }: { name: string; target: ScaleTarget; pool: string }): Variant {
  return {
    id: `chat/llama/${name}`,
    name,
    role: 'unified',
    scaleTarget: target,
    pods: { kind: 'owner' },
    accelerator: { type: pool, countPerReplica: 1 },
    pool,
    costPerHour: 4,
    replicas: { min: 0, max: 10 },
    startupSeconds: 180,
    engine: {},
    profile: {
      name: 'policy',
      quality: 'stated',
      source: 'test',
      a: 10,
      b: 0.1,
      c: 0,
      ap: 10,
      bp: 0.05,
      d2: 0,
      g: 0,
      h: 0,
    },
    maxShare: 1,
    minShare: 0,
  }
}

/** A ScaledObject in namespace `chat` that asks as docs/KEDA.md says, by default for chat/llama/h100. */
export function scaledObject(name: string, metadata: Readonly<Record<string, string>> = {}): ScaledObject {
  const rules = { stabilizationWindowSeconds: 0, tolerance: '0', selectPolicy: 'Max' }
  return {
    metadata: { name, namespace: 'chat', uid: `uid-of-${name}` },
    spec: {
      scaleTargetRef: { kind: 'Deployment', name: 'llama' },
      minReplicaCount: 0,
      maxReplicaCount: 10,
      fallback: { replicas: 2 },
      advanced: { horizontalPodAutoscalerConfig: { behavior: { scaleUp: rules, scaleDown: rules } } },
      triggers: [
        {
          type: 'external-push',
          metadata: { scalerAddress: 'mixscaler:9090', policy: 'llama', variant: 'h100', ...metadata },
        },
      ],
    },
  }
}
