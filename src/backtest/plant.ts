// The plant: a fleet that serves traffic, is observed as a cluster would be, and does what it is told. Two plants
// stand behind this one interface, request by request and fluid; controllers cannot tell which one they steer.
import type { Observation, ReplicaCounts } from '../core/observation.ts'
import type { VariantId } from '../core/policy.ts'
import type { ServiceBook } from './serviceBook.ts'

export interface Plant {
  readonly nowSeconds: number
  /** Lets time pass, traffic arrive and metrics be scraped. */
  advance(untilSeconds: number): void
  /** What Prometheus and Kubernetes tell at the present: metrics as of the last scrape, replicas as they are. */
  observe(): Observation
  /** Sets spec.replicas. */
  scale(variant: VariantId, replicas: number): void
  counts(variant: VariantId): ReplicaCounts
  /** What users got so far. */
  readonly service: ServiceBook
  /** Since second 0, by variant. */
  spent(): Readonly<Record<VariantId, Spent>>
}

export interface Spent {
  /** From asking for each replica to its end. A replica without a node (pending) costs nothing. */
  readonly dollars: number
  readonly replicaSeconds: number
  /** Of these, before the replica was ready. */
  readonly startingSeconds: number
}

export interface PlantTiming {
  /** Of Prometheus. */
  readonly scrapeSeconds: number
  /** Unix time of second 0. */
  readonly epochSeconds: number
}

/** What goes wrong, and when. */
export type Failure =
  /** So many ready replicas die at once; each starts again. */
  | {
      readonly kind: 'podLoss'
      readonly atSeconds: number
      readonly variant: VariantId
      readonly replicas: number
    }
  /** One replica runs `factor` times slower from then on, until it is replaced. */
  | {
      readonly kind: 'slowPod'
      readonly atSeconds: number
      readonly variant: VariantId
      readonly factor: number
    }
  /** Pods of somebody else take so many GPUs of a pool of known size, or those that are free. */
  | {
      readonly kind: 'foreignPods'
      readonly atSeconds: number
      readonly pool: string
      readonly gpus: number
    }
  | { readonly kind: 'foreignPodsGone'; readonly atSeconds: number; readonly pool: string }
