// ResourceSlices and ResourceClaims in whichever version the API serves. A cluster without Dynamic Resource Allocation
// is the rule, and no failure; one that refuses us is told once, and its device plugins are counted as before.
import { setTimeout as pause } from 'node:timers/promises'
import { isMissing, missing, type Reading } from '../core/reading.ts'
import { ApiError, describeFailure, type KubernetesApi } from './api.ts'
import {
  type ClaimFacts,
  claimFacts,
  resourceGroupPath,
  resourceVersions,
  type SliceFacts,
  sliceFacts,
} from './dra.ts'
import type { ApiGroup } from './objects.ts'
import { type Reflector, startReflector } from './reflector.ts'
import type { Timing } from './timing.ts'

export interface DraFacts {
  readonly slices: readonly SliceFacts[]
  readonly claims: readonly ClaimFacts[]
}

export interface DraLists {
  /** Empty where there is no such API, or where it never let us read; missing where it did and does no more. */
  readonly read: () => Reading<DraFacts>
  readonly tried: () => boolean
  readonly stop: () => void
}

interface DraListsOptions {
  readonly api: KubernetesApi
  readonly timing: Timing
  readonly onHealth: (what: string) => (problem: string | undefined) => void
}

const nothing: DraFacts = { slices: [], claims: [] }

export function startDraLists({ api, timing, onHealth }: DraListsOptions): DraLists {
  const stopped = new AbortController()
  const limits = { seconds: timing.requestSeconds, signal: stopped.signal }
  const groupHealth = onHealth(resourceGroupPath)
  let looked = false
  let wasRead = false
  let lists: { readonly slices: Reflector<SliceFacts>; readonly claims: Reflector<ClaimFacts> } | undefined

  async function servedVersion(): Promise<string | undefined> {
    try {
      const group = (await api.get(resourceGroupPath, 'APIGroup', {}, limits)) as ApiGroup
      const served = group.versions?.map(({ version }) => version) ?? []
      return resourceVersions.find((version) => served.includes(version))
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined
      throw error
    }
  }

  function start(version: string): void {
    const path = `${resourceGroupPath}/${version}`
    lists = {
      slices: startReflector({
        api,
        path: `${path}/resourceslices`,
        kind: 'ResourceSliceList',
        query: {},
        facts: sliceFacts,
        timing,
        onHealth: onHealth(`${path}/resourceslices`),
      }),
      claims: startReflector({
        api,
        path: `${path}/resourceclaims`,
        kind: 'ResourceClaimList',
        query: {},
        facts: claimFacts,
        timing,
        onHealth: onHealth(`${path}/resourceclaims`),
      }),
    }
  }

  async function look(): Promise<void> {
    let problem: string | undefined
    while (!stopped.signal.aborted && lists === undefined) {
      let wait = timing.resyncSeconds
      try {
        const version = await servedVersion()
        if (version !== undefined && !stopped.signal.aborted) start(version)
        if (problem !== undefined) groupHealth(undefined)
        problem = undefined
      } catch (error) {
        if (stopped.signal.aborted) return
        if (problem === undefined) groupHealth(describeFailure(error))
        problem = describeFailure(error)
        wait = timing.retrySeconds.longest
      }
      looked = true
      if (lists === undefined)
        await pause(wait * 1000, undefined, { signal: stopped.signal }).catch(() => undefined)
    }
  }

  void look()
  return {
    read: () => {
      if (lists === undefined) return nothing
      const slices = lists.slices.read()
      const claims = lists.claims.read()
      if (isMissing(slices) || isMissing(claims))
        return wasRead ? missing('backendDown', 'ResourceSlices and ResourceClaims') : nothing
      wasRead = true
      return { slices, claims }
    },
    tried: () => looked && (lists === undefined || (lists.slices.tried() && lists.claims.tried())),
    stop: () => {
      stopped.abort()
      lists?.slices.stop()
      lists?.claims.stop()
    },
  }
}
