// Stands in for Prometheus and for the Kubernetes API in the demo: scrapes every pod's text into the store in
// memory, and says how many replicas there are.
import type { ReplicaCounts } from '../core/observation.ts'
import type { PolicySet, VariantId } from '../core/policy.ts'
import { exposition } from '../simulation/exposition.ts'
import type { Fleet } from '../simulation/fleet.ts'
import type { SeriesStore } from '../simulation/seriesStore.ts'

export class Scraper {
  private readonly fleet: Fleet
  private readonly store: SeriesStore
  private readonly epochSeconds: number
  private known = new Set<string>()

  constructor(fleet: Fleet, store: SeriesStore, epochSeconds: number) {
    this.fleet = fleet
    this.store = store
    this.epochSeconds = epochSeconds
  }

  /** At the fleet's present. */
  scrape(): void {
    const at = this.epochSeconds + this.fleet.nowSeconds
    const { model } = this.fleet.settings
    const pods = this.fleet.pods()
    for (const pod of pods) {
      const text = exposition(pod, { flavour: 'v1', model, epochSeconds: this.epochSeconds })
      if (text === undefined) this.store.scrapeFailed(this.targetOf(pod.name), at)
      else this.store.scrape(this.targetOf(pod.name), text, at)
    }
    const names = new Set(pods.map(({ name }) => name))
    for (const name of this.known) if (!names.has(name)) this.store.targetGone(this.targetOf(name), at)
    this.known = names
  }

  /** As the Kubernetes API would tell, for each variant of the policies. */
  replicas({ policies }: PolicySet): Readonly<Record<VariantId, ReplicaCounts>> {
    const variants = policies.flatMap((policy) => policy.variants)
    return Object.fromEntries(variants.map(({ id, scaleTarget }) => [id, this.countsOf(scaleTarget.name)]))
  }

  private countsOf(deployment: string): ReplicaCounts {
    const starting = this.fleet
      .pods()
      .filter((pod) => pod.variant.name === deployment && pod.phase === 'starting')
      .map((pod) => this.epochSeconds + pod.createdAtSeconds)
    const counts = this.fleet.counts(deployment)
    return starting.length === 0 ? counts : { ...counts, startingSince: Math.min(...starting) }
  }

  private targetOf(pod: string): Readonly<Record<string, string>> {
    const { namespace } = this.fleet.settings
    return { namespace, pod, job: `${namespace}/vllm`, instance: pod }
  }
}
