// From a controller's signal to spec.replicas: KEDA's poll, the HPA's sync with its tolerance, stabilization and rate
// limits, on their own rhythm; or straight to the scale target for planners that write it themselves.
import type { ReplicaCounts } from '../core/observation.ts'
import { type HpaState, hpaStart, hpaSync } from '../simulation/hpa.ts'
import { type KedaState, kedaPoll } from '../simulation/keda.ts'
import type { Actuation, Signal } from './controller.ts'
import type { SiteVariant } from './site.ts'

export interface ActuatorTiming {
  /** `--horizontal-pod-autoscaler-sync-period`. */
  readonly hpaSyncSeconds: number
  /** KEDA and the HPA are not in step with the controller: so long after its grid. */
  readonly phaseSeconds: number
}

export class Actuator {
  readonly variant: SiteVariant
  private readonly actuation: Actuation
  private readonly hpaSyncSeconds: number
  private keda: KedaState = {}
  private hpa: HpaState = hpaStart
  private nextPoll: number
  private nextSync: number

  constructor(variant: SiteVariant, actuation: Actuation, timing: ActuatorTiming) {
    this.variant = variant
    this.actuation = actuation
    this.hpaSyncSeconds = timing.hpaSyncSeconds
    this.nextPoll = timing.phaseSeconds
    this.nextSync = timing.phaseSeconds
  }

  /** When it has something to do next; Infinity for what acts at once. */
  get dueSeconds(): number {
    return this.actuation.kind === 'direct' ? Infinity : Math.min(this.nextPoll, this.nextSync)
  }

  /** The new spec.replicas at this time. `told`: the controller has just spoken. */
  act(at: number, signal: Signal | undefined, counts: ReplicaCounts, event: 'told' | 'due'): number {
    const { actuation } = this
    switch (actuation.kind) {
      case 'direct': {
        if (event !== 'told' || signal === undefined) return counts.desired
        return Math.max(0, Math.ceil(signal.metric / signal.target - 1e-9))
      }
      case 'keda':
        return event === 'told' ? counts.desired : this.due(at, actuation, signal, counts)
    }
  }

  private due(
    at: number,
    actuation: Actuation & { readonly kind: 'keda' },
    signal: Signal | undefined,
    { desired, ready, starting }: ReplicaCounts,
  ): number {
    let spec = desired
    if (at >= this.nextPoll) {
      this.nextPoll += actuation.pollingSeconds
      const activity = signal === undefined ? 'failed' : signal.active ? 'active' : 'inactive'
      const settings = { minReplicas: actuation.minReplicas, cooldownSeconds: actuation.cooldownSeconds }
      const step = kedaPoll(settings, this.keda, { atSeconds: at, specReplicas: spec, activity })
      this.keda = step.state
      spec = step.replicas
    }
    if (at >= this.nextSync) {
      this.nextSync += this.hpaSyncSeconds
      const step = hpaSync(
        {
          minReplicas: Math.max(1, actuation.minReplicas),
          maxReplicas: actuation.maxReplicas,
          behavior: actuation.behavior,
          toleranceRule: 'perDirection',
        },
        this.hpa,
        {
          atSeconds: at,
          specReplicas: spec,
          // Pods that KEDA has just asked for are not there yet.
          statusReplicas: Math.max(1, ready + starting),
          metric: signal === undefined ? 'failed' : signal.metric,
          target: signal?.target ?? 1,
        },
      )
      this.hpa = step.state
      spec = step.replicas
    }
    return spec
  }
}
