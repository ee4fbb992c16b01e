// Stands in for Prometheus and for the Kubernetes API in the demo: scrapes every pod's text into the store in
// memory, and says how many replicas there are.
import type { ReplicaCounts } from '../core/observation.ts'
import type { GatewayKind, PolicySet, VariantId } from '../core/policy.ts'
import { exposition } from '../simulation/exposition.ts'
import type { Fleet } from '../simulation/fleet.ts'
import { gatewayMetrics } from '../simulation/gatewayText.ts'
import type { SeriesStore } from '../simulation/seriesStore.ts'

export class Scraper {
  private readonly fleet: Fleet
  private readonly store: SeriesStore
  private readonly epochSeconds: number
  private readonly gateway: GatewayKind | undefined
  private known = new Set<string>()

  /** `gateway`: the one in front of the fleet is scraped too. */
  constructor(fleet: Fleet, store: SeriesStore, epochSeconds: number, gateway?: GatewayKind) {
    this.fleet = fleet
    this.store = store
    this.epochSeconds = epochSeconds
    this.gateway = gateway
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
    if (this.gateway !== undefined) {
      this.store.scrape(this.targetOf('gateway-0'), gatewayMetrics(this.fleet, this.gateway), at)
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
    return starting.length === 0 ? counts : { ...counts, startingSince: starting.toSorted((x, y) => x - y) }
  }

  private targetOf(pod: string): Readonly<Record<string, string>> {
    const { namespace } = this.fleet.settings
    return { namespace, pod, job: `${namespace}/vllm`, instance: pod }
  }
}
