// What the Horizontal Pod Autoscaler makes of an external metric of type AverageValue: the arithmetic of
// Kubernetes' replica_calculator.go and horizontal.go, as a pure step. With target 1 the metric is the wanted
// count, up to the tolerance: 10 -> 11 is within 10 % and ignored (docs/KEDA.md).

export interface HpaPolicy {
  readonly type: 'Percent' | 'Pods'
  readonly value: number
  readonly periodSeconds: number
}

export interface ScalingRules {
  readonly stabilizationWindowSeconds: number
  readonly selectPolicy: 'Max' | 'Min' | 'Disabled'
  readonly policies: readonly HpaPolicy[]
  /** 0.1 is the cluster's default. */
  readonly tolerance: number
}

export interface HpaBehavior {
  readonly scaleUp: ScalingRules
  readonly scaleDown: ScalingRules
}

export interface HpaSettings {
  /** At least 1: below that KEDA decides. */
  readonly minReplicas: number
  readonly maxReplicas: number
  /** `unset`: no behavior block. Up to max(2 x current, 4) per sync, down over 300 s, tolerance 0.1. */
  readonly behavior: HpaBehavior | 'unset'
  /** From Kubernetes 1.33 on the bounds of the tolerance are inclusive and apart; before, |1 - ratio| <= 0.1. */
  readonly toleranceRule: 'perDirection' | 'before1.33'
}

export interface HpaState {
  /** Unstabilized recommendations, oldest first. */
  readonly recommendations: readonly HpaEvent[]
  /** By how many replicas it scaled, and when, oldest first. */
  readonly ups: readonly HpaEvent[]
  readonly downs: readonly HpaEvent[]
}

export interface HpaEvent {
  readonly atSeconds: number
  readonly replicas: number
}

interface HpaInput {
  readonly atSeconds: number
  /** spec.replicas of the scale target, and its status: the pods that exist. */
  readonly specReplicas: number
  readonly statusReplicas: number
  /** Sum of the metric's values, or `failed`: the HPA then holds. */
  readonly metric: number | 'failed'
  readonly target: number
}

interface HpaStep {
  readonly state: HpaState
  /** The new spec.replicas. */
  readonly replicas: number
}

export const hpaStart: HpaState = { recommendations: [], ups: [], downs: [] }

/** What the API server fills in where a behavior block leaves a side out. */
export const defaultScaleUp: ScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
  tolerance: 0.1,
}
export const defaultScaleDown: ScalingRules = {
  stabilizationWindowSeconds: 300,
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
  tolerance: 0.1,
}
const defaultBehavior: HpaBehavior = { scaleUp: defaultScaleUp, scaleDown: defaultScaleDown }

/** One sync: every 15 s in a real cluster. */
export function hpaSync(settings: HpaSettings, state: HpaState, input: HpaInput): HpaStep {
  const { specReplicas: current, atSeconds } = input
  if (current === 0) return { state, replicas: 0 }
  if (current > settings.maxReplicas) return scaled(settings, state, input, settings.maxReplicas)
  if (current < settings.minReplicas) return scaled(settings, state, input, settings.minReplicas)
  if (input.metric === 'failed') return { state, replicas: current }
  const wanted = recommendation(settings, input, input.metric)
  const { scaleUp, scaleDown } = settings.behavior === 'unset' ? defaultBehavior : settings.behavior
  const since = (window: number): readonly number[] =>
    state.recommendations
      .filter((event) => event.atSeconds > atSeconds - window)
      .map((event) => event.replicas)
  const atLeast = Math.min(wanted, ...since(scaleUp.stabilizationWindowSeconds))
  const atMost = Math.max(wanted, ...since(scaleDown.stabilizationWindowSeconds))
  const stabilized = Math.min(Math.max(current, atLeast), atMost)
  const longest = Math.max(scaleUp.stabilizationWindowSeconds, scaleDown.stabilizationWindowSeconds)
  const recommendations = [
    ...state.recommendations.filter((event) => event.atSeconds > atSeconds - longest),
    { atSeconds, replicas: wanted },
  ]
  const limited = withinRate(settings, state, input, stabilized)
  return scaled(settings, { ...state, recommendations }, input, limited)
}

/** Replicas for a metric of type AverageValue, before stabilization. */
function recommendation(settings: HpaSettings, input: HpaInput, metric: number): number {
  const usageMilli = Math.round(metric * 1000)
  const targetMilli = Math.round(input.target * 1000)
  const ratio = usageMilli / (targetMilli * input.statusReplicas)
  return withinTolerance(settings, ratio) ? input.statusReplicas : Math.ceil(usageMilli / targetMilli)
}

function withinTolerance({ behavior, toleranceRule }: HpaSettings, ratio: number): boolean {
  if (toleranceRule === 'before1.33') return Math.abs(1 - ratio) <= 0.1
  const { scaleUp, scaleDown } = behavior === 'unset' ? defaultBehavior : behavior
  return 1 - scaleDown.tolerance <= ratio && ratio <= 1 + scaleUp.tolerance
}

/** As far towards `wanted` as policies and bounds allow. */
function withinRate(settings: HpaSettings, state: HpaState, input: HpaInput, wanted: number): number {
  const { specReplicas: current, atSeconds } = input
  const { behavior, minReplicas, maxReplicas } = settings
  if (behavior === 'unset') {
    return Math.min(Math.max(wanted, minReplicas), maxReplicas, Math.max(2 * current, 4))
  }
  const changed = (events: readonly HpaEvent[], period: number): number =>
    events.reduce((sum, event) => (event.atSeconds > atSeconds - period ? sum + event.replicas : sum), 0)
  const before = (period: number): number =>
    current - changed(state.ups, period) + changed(state.downs, period)
  if (wanted > current) {
    const limits = behavior.scaleUp.policies.map(({ type, value, periodSeconds }) =>
      type === 'Pods' ? before(periodSeconds) + value : Math.ceil(before(periodSeconds) * (1 + value / 100)),
    )
    const limit = Math.max(current, select(behavior.scaleUp, limits, current, Math.max))
    return Math.min(wanted, limit, maxReplicas)
  }
  if (wanted < current) {
    const limits = behavior.scaleDown.policies.map(({ type, value, periodSeconds }) =>
      type === 'Pods' ? before(periodSeconds) - value : Math.trunc(before(periodSeconds) * (1 - value / 100)),
    )
    const limit = Math.min(current, select(behavior.scaleDown, limits, current, Math.min))
    return Math.max(wanted, limit, minReplicas)
  }
  return Math.min(Math.max(wanted, minReplicas), maxReplicas)
}

/** `Max` lets through the largest change, `Min` the smallest, `Disabled` none. */
function select(
  rules: ScalingRules,
  limits: readonly number[],
  current: number,
  largestChange: (...limits: number[]) => number,
): number {
  if (rules.selectPolicy === 'Disabled') return current
  const smallestChange = largestChange === Math.max ? Math.min : Math.max
  return rules.selectPolicy === 'Max' ? largestChange(...limits) : smallestChange(...limits)
}

/** Takes the change down in the books of the rate policies. */
function scaled(settings: HpaSettings, state: HpaState, input: HpaInput, replicas: number): HpaStep {
  const { atSeconds, specReplicas } = input
  const { scaleUp, scaleDown } = settings.behavior === 'unset' ? defaultBehavior : settings.behavior
  const keep = (
    events: readonly HpaEvent[],
    { policies }: ScalingRules,
    change: number,
  ): readonly HpaEvent[] => {
    const longest = Math.max(...policies.map(({ periodSeconds }) => periodSeconds))
    const recent = events.filter((event) => event.atSeconds > atSeconds - longest)
    return change > 0 ? [...recent, { atSeconds, replicas: change }] : recent
  }
  const ups = keep(state.ups, scaleUp, replicas - specReplicas)
  const downs = keep(state.downs, scaleDown, specReplicas - replicas)
  return { state: { ...state, ups, downs }, replicas }
}
