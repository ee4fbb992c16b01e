// What KEDA itself decides about a ScaledObject: activation from zero, and back to zero after the cooldown.
// Everything between 1 and the maximum is the HPA's business (docs/KEDA.md).

export interface KedaSettings {
  /** From the last time it was active to zero; default 300. */
  readonly cooldownSeconds: number
  readonly minReplicas: number
}

export interface KedaState {
  /** Absent: not active yet; it may then go to zero at once. */
  readonly lastActiveSeconds?: number
}

/** What a poll found: IsActive, or that a call failed. */
export type Activity = 'active' | 'inactive' | 'failed'

interface KedaStep {
  readonly state: KedaState
  /** The new spec.replicas. */
  readonly replicas: number
}

/** One poll, or one `true` on the push stream, which acts as an active poll. */
export function kedaPoll(
  settings: KedaSettings,
  state: KedaState,
  input: { readonly atSeconds: number; readonly specReplicas: number; readonly activity: Activity },
): KedaStep {
  const { atSeconds, specReplicas } = input
  switch (input.activity) {
    case 'failed':
      return { state, replicas: specReplicas }
    case 'active':
      return {
        state: { lastActiveSeconds: atSeconds },
        replicas: specReplicas === 0 ? Math.max(settings.minReplicas, 1) : specReplicas,
      }
    case 'inactive': {
      if (settings.minReplicas > 0) return { state, replicas: Math.max(specReplicas, settings.minReplicas) }
      const cooledDown =
        state.lastActiveSeconds === undefined ||
        atSeconds > state.lastActiveSeconds + settings.cooldownSeconds
      return { state, replicas: cooledDown ? 0 : specReplicas }
    }
  }
}
