// A list of the API kept in memory: listed once, then watched, listed again when the watch has fallen behind
// (410 Gone), and from time to time anyway. It outlives every failure; what it holds has an age.
import { setTimeout as pause } from 'node:timers/promises'
import { missing, type Reading } from '../core/reading.ts'
import { ApiError, describeFailure, type KubernetesApi, type Query } from './api.ts'
import type { ObjectList, ObjectMeta, WatchEvent } from './objects.ts'
import { monotonicSeconds, type Timing } from './timing.ts'

export interface Reflector<F> {
  /** What is known now, in no order; `backendDown` before the first list and when nothing was heard too long. */
  readonly read: () => Reading<readonly F[]>
  /** Whether the first list has come, or has failed. */
  readonly tried: () => boolean
  readonly stop: () => void
}

interface ReflectorOptions<T, F> {
  readonly api: KubernetesApi
  readonly path: string
  /** The kind of the list: `PodList`. */
  readonly kind: string
  readonly query: Query
  /** What is kept of an object; undefined: nothing. */
  readonly facts: (object: T) => F | undefined
  readonly timing: Timing
  /** Told when a failure begins, and when it has passed (undefined). */
  readonly onHealth: (problem: string | undefined) => void
}

/** Anything that the API lists; in an ERROR event a Status, which has a code. */
interface KubernetesObject {
  readonly metadata?: ObjectMeta
  readonly code?: number
}

/** A page is parsed in one go: this many objects keep that in the order of ten milliseconds. */
const pageLimit = '100'

export function startReflector<T extends KubernetesObject, F>(options: ReflectorOptions<T, F>): Reflector<F> {
  const { api, path, timing } = options
  const stopped = new AbortController()
  let kept: Map<string, F> | undefined
  let version = ''
  let listedAt = Number.NEGATIVE_INFINITY
  let heardAt = Number.NEGATIVE_INFINITY
  let problem: string | undefined

  async function list(): Promise<void> {
    const limits = { seconds: timing.requestSeconds, signal: stopped.signal }
    const fresh = new Map<string, F>()
    let next: string | undefined
    do {
      const query = { ...options.query, limit: pageLimit, ...(next === undefined ? {} : { continue: next }) }
      const page = (await api.get(path, options.kind, query, limits)) as ObjectList<T>
      for (const object of page.items ?? []) keep(fresh, object)
      version = page.metadata?.resourceVersion ?? ''
      next = page.metadata?.continue === '' ? undefined : page.metadata?.continue
    } while (next !== undefined)
    kept = fresh
    listedAt = monotonicSeconds()
    heardAt = listedAt
  }

  async function watch(): Promise<void> {
    const query = {
      ...options.query,
      resourceVersion: version,
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(timing.watchSeconds),
    }
    const limits = { seconds: timing.watchSeconds + timing.requestSeconds, signal: stopped.signal }
    await api.watch(path, query, limits, {
      onOpen: opened,
      onEvent: (event) => apply(event as WatchEvent<T>),
    })
  }

  function apply(event: WatchEvent<T>): void {
    if (event.type === 'ERROR') throw new ApiError(event.object.code ?? 500)
    heardAt = monotonicSeconds()
    version = event.object.metadata?.resourceVersion ?? version
    if (event.type === 'DELETED') kept?.delete(keyOf(event.object))
    else if (event.type !== 'BOOKMARK' && kept !== undefined) keep(kept, event.object)
  }

  function keep(map: Map<string, F>, object: T): void {
    const facts = options.facts(object)
    if (facts === undefined) map.delete(keyOf(object))
    else map.set(keyOf(object), facts)
  }

  /** Only a watch that opens ends a failure: where watching is refused, listing again and again goes on. */
  function opened(): void {
    heardAt = monotonicSeconds()
    if (problem !== undefined) options.onHealth(undefined)
    problem = undefined
  }

  function failed(error: unknown): void {
    const text = describeFailure(error)
    if (problem !== text) options.onHealth(text)
    problem = text
  }

  async function follow(): Promise<void> {
    let failures = 0
    while (!stopped.signal.aborted) {
      try {
        if (monotonicSeconds() - listedAt >= timing.resyncSeconds) await list()
        await watch()
        failures = 0
      } catch (error) {
        if (stopped.signal.aborted) return
        listedAt = Number.NEGATIVE_INFINITY
        // 410 Gone is the API's normal way to say that the watch is too far behind: list, and go on.
        if (!(error instanceof ApiError && error.status === 410)) failed(error)
        failures += 1
      }
      // Also after a clean end: a server that closes every watch at once is not asked in a tight loop.
      const wait = Math.min(
        timing.retrySeconds.first * 2 ** Math.max(0, failures - 1),
        timing.retrySeconds.longest,
      )
      await pause(wait * 1000, undefined, { signal: stopped.signal }).catch(() => undefined)
    }
  }

  void follow()
  return {
    read: () =>
      kept !== undefined && monotonicSeconds() - heardAt <= timing.staleAfterSeconds
        ? [...kept.values()]
        : missing('backendDown', `${path}: ${problem ?? 'not listed yet'}`),
    tried: () => kept !== undefined || problem !== undefined,
    stop: () => stopped.abort(),
  }
}

function keyOf(object: KubernetesObject): string {
  return `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`
}
