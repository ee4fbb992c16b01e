// What every scale target asks for, by the scale subresource: the one way to read `replicas` that works for
// Deployments, StatefulSets, LeaderWorkerSets and custom resources alike, with `get` on `*/scale` and no more.
import type { ScaleTarget } from '../core/policy.ts'
import { missing, type Reading } from '../core/reading.ts'
import { ApiError, describeFailure, type KubernetesApi } from './api.ts'
import type { ResourceList, Scale } from './objects.ts'
import type { ScaleFacts } from './replicas.ts'
import type { NamespacedTarget } from './scope.ts'
import { monotonicSeconds, type Timing } from './timing.ts'

interface ScaleReader {
  /** From now on these targets are read, and no others. */
  readonly follow: (targets: readonly NamespacedTarget[]) => void
  readonly read: (target: NamespacedTarget) => Reading<ScaleFacts>
  /** Whether each followed target has been asked for at least once. */
  readonly tried: () => boolean
  readonly stop: () => void
}

interface ScaleReaderOptions {
  readonly api: KubernetesApi
  readonly timing: Timing
  /** Told when a target begins to fail, with the first one's reason, and when none fails any more (undefined). */
  readonly onHealth: (problem: string | undefined) => void
}

interface Entry {
  readonly target: NamespacedTarget
  askedAt: number
  /** The last answer, which may be that there is no such target. */
  last?: { readonly answer: Reading<ScaleFacts>; readonly at: number }
  /** Why the last request brought no answer; undefined when it did. */
  problem: string | undefined
}

/** Requests under way at once: a thousand targets take about a second, and a slow server is not flooded. */
const parallelRequests = 8
/** How often it is looked which targets are due, as a share of the refresh interval. */
const dueCheckShare = 0.1

export function startScaleReader({ api, timing, onHealth }: ScaleReaderOptions): ScaleReader {
  const stopped = new AbortController()
  const limits = { seconds: timing.requestSeconds, signal: stopped.signal }
  const plurals = new Map<string, string>()
  let entries = new Map<string, Entry>()
  let busy = false
  let healthy = true

  /** `deployments` for Deployment, as the API's discovery says; throws 404 where it knows no such kind. */
  async function pluralOf({ apiVersion, kind }: ScaleTarget): Promise<string> {
    const known = plurals.get(`${apiVersion}/${kind}`)
    if (known !== undefined) return known
    const list = (await api.get(groupPath(apiVersion), 'APIResourceList', {}, limits)) as ResourceList
    const found = list.resources?.find((resource) => resource.kind === kind && !resource.name.includes('/'))
    if (found === undefined) throw new ApiError(404)
    plurals.set(`${apiVersion}/${kind}`, found.name)
    return found.name
  }

  async function ask(entry: Entry): Promise<void> {
    entry.askedAt = monotonicSeconds()
    try {
      entry.last = { answer: await scaleOf(entry.target), at: monotonicSeconds() }
      entry.problem = undefined
    } catch (error) {
      entry.problem = `${nameOf(entry.target)}: ${describeFailure(error)}`
    }
  }

  async function scaleOf({ namespace, target }: NamespacedTarget): Promise<Reading<ScaleFacts>> {
    try {
      const plural = await pluralOf(target)
      const object = `namespaces/${encodeURIComponent(namespace)}/${plural}/${encodeURIComponent(target.name)}`
      const scale = (await api.get(
        `${groupPath(target.apiVersion)}/${object}/scale`,
        'Scale',
        {},
        limits,
      )) as Scale
      return { desired: scale.spec?.replicas ?? 0, selector: scale.status?.selector ?? '' }
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error
      return missing('noSeries', `${nameOf({ namespace, target })} does not exist, or cannot be scaled`)
    }
  }

  async function askThoseDue(): Promise<void> {
    if (busy) return
    busy = true
    const now = monotonicSeconds()
    const due = [...entries.values()]
      .filter((entry) => now - entry.askedAt >= timing.scaleRefreshSeconds)
      .values()
    const worker = async () => {
      for (const entry of due) {
        if (stopped.signal.aborted) return
        await ask(entry)
      }
    }
    await Promise.all(Array.from({ length: parallelRequests }, worker))
    busy = false
    tellHealth()
  }

  function tellHealth(): void {
    const problem = [...entries.values()].find((entry) => entry.problem !== undefined)?.problem
    if (stopped.signal.aborted || (problem === undefined) === healthy) return
    healthy = problem === undefined
    onHealth(problem)
  }

  const timer = setInterval(() => void askThoseDue(), timing.scaleRefreshSeconds * dueCheckShare * 1000)
  return {
    follow: (targets) => {
      entries = new Map(
        targets.map((target) => [
          nameOf(target),
          entries.get(nameOf(target)) ?? { target, askedAt: -Infinity, problem: undefined },
        ]),
      )
      void askThoseDue()
    },
    read: (target) => {
      const entry = entries.get(nameOf(target))
      return entry?.last !== undefined && monotonicSeconds() - entry.last.at <= timing.staleAfterSeconds
        ? entry.last.answer
        : missing('backendDown', entry?.problem ?? `${nameOf(target)}: not read yet`)
    },
    tried: () =>
      [...entries.values()].every(({ last, problem }) => last !== undefined || problem !== undefined),
    stop: () => {
      clearInterval(timer)
      stopped.abort()
    },
  }
}

function nameOf({ namespace, target }: NamespacedTarget): string {
  return `${target.apiVersion} ${target.kind} ${namespace}/${target.name}`
}

/** The core group has a path of its own. */
function groupPath(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
}
