// A stage for tests: pods that are scraped every five seconds into the store in memory, and what is observed.

import type { Observation, VariantSignals } from '../../src/core/observation.ts'
import { defaultObserveOptions, type ObserveOptions, queryPlan } from '../../src/core/observe/queries.ts'
import type { PolicySet } from '../../src/core/policy.ts'
import { observeStore } from '../../src/simulation/seriesObserver.ts'
import { SeriesStore } from '../../src/simulation/seriesStore.ts'
import { type EngineIdentity, type EngineState, exposition, quiet } from './vllm.ts'

export interface Pod {
  readonly pod: string
  readonly namespace?: string
  /** Labels that the target carries besides namespace and pod. */
  readonly labels?: Readonly<Record<string, string>>
  readonly engine?: Partial<EngineIdentity>
  /** More text, or none at all: what the pod says after `seconds`. */
  readonly says?: (seconds: number) => string
  /** The state after `seconds`. */
  readonly state?: (seconds: number) => Partial<EngineState>
}

export const start = 1_760_000_000
export const scrapeSeconds = 5
/** How long a stage plays. */
export const runSeconds = 120

export function targetOf(pod: Pod, monitor: string): Readonly<Record<string, string>> {
  return {
    namespace: pod.namespace ?? 'chat',
    pod: pod.pod,
    job: monitor,
    instance: `${pod.pod}:8000`,
    ...pod.labels,
  }
}

export function textOf(pod: Pod, seconds: number): string {
  return pod.says?.(seconds) ?? exposition({ ...quiet, ...pod.state?.(seconds) }, pod.engine)
}

/** Pods played for two minutes, scraped by each of the monitors. */
export function played(pods: readonly Pod[], monitors: readonly string[] = ['chat/vllm']): SeriesStore {
  const store = new SeriesStore(600)
  for (let seconds = 0; seconds <= runSeconds; seconds += scrapeSeconds) {
    for (const pod of pods) {
      for (const monitor of monitors) {
        store.scrape(targetOf(pod, monitor), textOf(pod, seconds), start + seconds)
      }
    }
  }
  return store
}

export function observed(
  store: SeriesStore,
  policies: PolicySet,
  { at = start + runSeconds, ...options }: Partial<ObserveOptions> & { readonly at?: number } = {},
): Observation {
  return observeStore(store, policies, queryPlan(policies, { ...defaultObserveOptions, ...options }), at, {})
}

export function signalsOf(observation: Observation, id: string): VariantSignals {
  const signals = observation.variants[id]
  if (signals === undefined) throw new Error(`no variant ${id} among ${Object.keys(observation.variants)}`)
  return signals
}
