// Which of several servers writes Events: the one that holds a Lease. Nothing else depends on it: all decide and answer
// alike, and while nobody holds it no Event is written.
import { ApiError, type KubernetesApi, type RequestLimits } from './api.ts'
import { microTime } from './events.ts'
import { epochSeconds, type Lease } from './objects.ts'

export const leaseName = 'mixscaler-events'

/** A holder that is silent this long has lost it. */
const durationSeconds = 30
/** Renewed when a third of that has passed. */
const renewAfterSeconds = 10

export interface LeasePlace {
  readonly namespace: string
  /** Ours: unlike that of any other server. */
  readonly identity: string
}

export type Holding = 'held' | 'others'

/** Takes or renews the lease at `now`, seconds since the epoch. Throws what the API throws; 409 is no failure. */
export async function holdLease(
  api: KubernetesApi,
  { namespace, identity }: LeasePlace,
  now: number,
  limits: RequestLimits,
): Promise<Holding> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`
  const lease = await existing(api, `${path}/${leaseName}`, limits)
  const { holderIdentity = '', renewTime } = lease?.spec ?? {}
  const age = now - (epochSeconds(renewTime) ?? Number.NEGATIVE_INFINITY)
  const isOurs = holderIdentity === identity
  if (isOurs && age < renewAfterSeconds) return 'held'
  if (!isOurs && holderIdentity !== '' && age < durationSeconds) return 'others'
  const body = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    // The version makes the API refuse it where somebody else has written since.
    metadata: { name: leaseName, namespace, resourceVersion: lease?.metadata?.resourceVersion },
    spec: {
      holderIdentity: identity,
      leaseDurationSeconds: durationSeconds,
      renewTime: microTime(now),
    },
  }
  try {
    if (lease === undefined) await api.write('POST', path, body, limits)
    else await api.write('PUT', `${path}/${leaseName}`, body, limits)
    return 'held'
  } catch (error) {
    if (error instanceof ApiError && error.status === 409) return 'others'
    throw error
  }
}

async function existing(api: KubernetesApi, path: string, limits: RequestLimits): Promise<Lease | undefined> {
  try {
    return (await api.get(path, 'Lease', {}, limits)) as Lease
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined
    throw error
  }
}
