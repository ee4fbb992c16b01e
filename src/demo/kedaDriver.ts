// KEDA's operator and the HPA in front of a simulated fleet: the calls they make over real gRPC, in their order
// and rhythm but on virtual time, and the arithmetic of src/simulation between the answer and spec.replicas.
import type { ClientReadableStream } from '@grpc/grpc-js'
import { type HpaSettings, type HpaState, hpaStart, hpaSync } from '../simulation/hpa.ts'
import { type Activity, type KedaState, kedaPoll } from '../simulation/keda.ts'
import type { KedaClient, MetricSpec, MetricValue, ScaledObjectRef } from './kedaProtocol.ts'

export interface ScaledObject {
  readonly ref: ScaledObjectRef
  readonly trigger: 'external' | 'external-push'
  /** Name of the Deployment. */
  readonly scaleTarget: string
  readonly pollingIntervalSeconds: number
  readonly cooldownSeconds: number
  readonly minReplicas: number
  readonly maxReplicas: number
  readonly behavior: HpaSettings['behavior']
}

/** The scale subresource of the targets. */
interface Scale {
  readonly get: (target: string) => { readonly spec: number; readonly status: number }
  readonly set: (target: string, replicas: number) => void
}

export type DriverEvent =
  | {
      readonly kind: 'scaled'
      readonly by: 'keda' | 'hpa'
      readonly target: string
      readonly from: number
      readonly to: number
    }
  | { readonly kind: 'failed'; readonly by: 'keda' | 'hpa'; readonly target: string; readonly why: string }

export interface KedaDriver {
  /** Does what is due at this virtual time. Calls of one step run at once; results are applied in order. */
  readonly step: (atSeconds: number) => Promise<void>
  readonly close: () => void
}

interface KedaDriverOptions {
  readonly client: KedaClient
  readonly scaledObjects: readonly ScaledObject[]
  readonly scale: Scale
  /** `--horizontal-pod-autoscaler-sync-period`: 15 s. */
  readonly syncPeriodSeconds: number
  readonly toleranceRule: HpaSettings['toleranceRule']
  readonly report: (event: DriverEvent) => void
}

export function kedaDriver(options: KedaDriverOptions): KedaDriver {
  const controllers = options.scaledObjects.map((scaledObject) => new Controller(scaledObject, options))
  return {
    step: async (atSeconds) => {
      const polled = await Promise.all(controllers.map((controller) => controller.askActivity(atSeconds)))
      for (const [i, controller] of controllers.entries()) controller.poll(atSeconds, polled[i])
      const metrics = await Promise.all(controllers.map((controller) => controller.askMetric(atSeconds)))
      for (const [i, controller] of controllers.entries()) controller.sync(atSeconds, metrics[i])
    },
    close: () => {
      for (const controller of controllers) controller.close()
      options.client.close()
    },
  }
}

interface Answers {
  /** Sum of the values, as the HPA takes it, and the target per replica. */
  readonly value: number
  readonly target: number
  readonly active: boolean
}

/** One ScaledObject with the HPA that KEDA made for it. */
class Controller {
  private readonly object: ScaledObject
  private readonly options: KedaDriverOptions
  private readonly push: PushStream | undefined
  private keda: KedaState = {}
  private hpa: HpaState = hpaStart
  private nextPollSeconds = Number.NEGATIVE_INFINITY
  private nextSyncSeconds = Number.NEGATIVE_INFINITY

  constructor(object: ScaledObject, options: KedaDriverOptions) {
    this.object = object
    this.options = options
    this.push = object.trigger === 'external-push' ? new PushStream(options.client, object.ref) : undefined
  }

  /** What KEDA learns at this time, by its poll or else by the push stream; undefined where nothing is due. */
  async askActivity(atSeconds: number): Promise<Activity | undefined> {
    this.push?.keepOpen(atSeconds)
    const pushed = this.push?.takeActive() === true
    if (atSeconds < this.nextPollSeconds) return pushed ? 'active' : undefined
    this.nextPollSeconds = atSeconds + this.object.pollingIntervalSeconds
    // A failed poll is tried once more at once.
    const answers = await this.ask()
      .catch(() => this.ask())
      .catch((error: unknown) => this.failed('keda', error))
    if (answers === 'failed') return 'failed'
    return answers.active ? 'active' : 'inactive'
  }

  poll(atSeconds: number, activity: Activity | undefined): void {
    if (activity === undefined) return
    const { spec } = this.options.scale.get(this.object.scaleTarget)
    const step = kedaPoll(this.object, this.keda, { atSeconds, specReplicas: spec, activity })
    this.keda = step.state
    this.set('keda', spec, step.replicas)
  }

  /** What the HPA reads at this time; undefined where no sync is due, or the HPA is off at 0 replicas. */
  async askMetric(atSeconds: number): Promise<Answers | 'failed' | undefined> {
    if (atSeconds < this.nextSyncSeconds) return undefined
    this.nextSyncSeconds = atSeconds + this.options.syncPeriodSeconds
    if (this.options.scale.get(this.object.scaleTarget).spec === 0) return undefined
    return this.ask().catch((error: unknown) => this.failed('hpa', error))
  }

  sync(atSeconds: number, answers: Answers | 'failed' | undefined): void {
    if (answers === undefined) return
    const { spec, status } = this.options.scale.get(this.object.scaleTarget)
    const { minReplicas, maxReplicas, behavior } = this.object
    const step = hpaSync(
      {
        minReplicas: Math.max(1, minReplicas),
        maxReplicas,
        behavior,
        toleranceRule: this.options.toleranceRule,
      },
      this.hpa,
      {
        atSeconds,
        specReplicas: spec,
        statusReplicas: status,
        metric: answers === 'failed' ? 'failed' : answers.value,
        target: answers === 'failed' ? 1 : answers.target,
      },
    )
    this.hpa = step.state
    this.set('hpa', spec, step.replicas)
  }

  close(): void {
    this.push?.close()
  }

  /** The calls of one poll, and of one HPA sync: spec, then value and activity, of which both must succeed. */
  private async ask(): Promise<Answers> {
    const { client } = this.options
    const [spec] = await client.getMetricSpec(this.object.ref)
    if (spec === undefined) throw new Error('got empty metric spec')
    const values = await client.getMetrics(this.object.ref, spec.metricName)
    const active = await client.isActive(this.object.ref)
    return { value: values.reduce((sum, value) => sum + metricOf(value), 0), target: targetOf(spec), active }
  }

  private set(by: 'keda' | 'hpa', from: number, to: number): void {
    if (from === to) return
    const { scaleTarget } = this.object
    this.options.scale.set(scaleTarget, to)
    this.options.report({ kind: 'scaled', by, target: scaleTarget, from, to })
  }

  private failed(by: 'keda' | 'hpa', error: unknown): 'failed' {
    const why = error instanceof Error ? error.message : String(error)
    this.options.report({ kind: 'failed', by, target: this.object.scaleTarget, why })
    return 'failed'
  }
}

/** KEDA's StreamIsActive: opened again after 2 s, doubling to 60 s; back to 2 s only by a clean end. */
class PushStream {
  private readonly client: KedaClient
  private readonly ref: ScaledObjectRef
  private stream: ClientReadableStream<{ readonly result: boolean }> | undefined = undefined
  private openAtSeconds = Number.NEGATIVE_INFINITY
  private retrySeconds = 2
  private active = false

  constructor(client: KedaClient, ref: ScaledObjectRef) {
    this.client = client
    this.ref = ref
  }

  keepOpen(atSeconds: number): void {
    if (this.stream !== undefined || atSeconds < this.openAtSeconds) return
    const stream = this.client.streamIsActive(this.ref)
    this.stream = stream
    this.openAtSeconds = atSeconds + this.retrySeconds
    this.retrySeconds = Math.min(60, 2 * this.retrySeconds)
    // `false` is ignored since KEDA 2.18.
    stream.on('data', ({ result }) => {
      this.active ||= result
    })
    stream.on('end', () => {
      this.retrySeconds = 2
    })
    stream.on('error', () => undefined)
    stream.on('close', () => {
      if (this.stream === stream) this.stream = undefined
    })
  }

  takeActive(): boolean {
    const active = this.active
    this.active = false
    return active
  }

  close(): void {
    this.stream?.cancel()
  }
}

/** KEDA from 2.17 on: the float where it is above 0, else the integer. */
function metricOf({ metricValue, metricValueFloat }: MetricValue): number {
  return metricValueFloat > 0 ? metricValueFloat : metricValue
}

function targetOf({ targetSize, targetSizeFloat }: MetricSpec): number {
  return targetSizeFloat > 0 ? targetSizeFloat : targetSize
}
