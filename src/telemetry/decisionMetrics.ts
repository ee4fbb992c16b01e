// What was decided, as gauges. Each decision replaces the last one's series, so that those of a policy that
// went are gone; what is missing has no series, never a 0.
import { Gauge, type Registry } from 'prom-client'
import type { SpeedMemory } from '../core/calibrate/calibrate.ts'
import type { ClassDecision, Decision, PolicyDecision, VariantDecision } from '../core/decision.ts'
import { isMissing, type Reading } from '../core/reading.ts'
import type { ClassMemory, PolicyMemory, State, VariantMemory } from '../core/state.ts'

const policyLabels = ['namespace', 'policy'] as const
const variantLabels = [...policyLabels, 'variant'] as const
const classLabels = [...policyLabels, 'class'] as const

type Labels = Readonly<Record<string, string>>

interface DecisionMetrics {
  readonly decided: (decision: Decision, state: State) => void
  /** What is told is another server's, of that tick: this one has decided nothing. */
  readonly followed: (at: number) => void
}

/** `now` in seconds since the epoch, by the clock that decisions are dated with. */
export function decisionMetrics(registry: Registry, now: () => number): DecisionMetrics {
  let decidedAt: number | undefined
  let followedAt: number | undefined
  new Gauge({
    name: 'mixscaler_observation_age_seconds',
    help: 'Age of the observation that the last decision rests on.',
    registers: [registry],
    collect() {
      // An unlabelled gauge would say 0 before there is anything to say.
      if (decidedAt === undefined) this.remove()
      else this.set(now() - decidedAt)
    },
  })
  const warnings = new Gauge({
    name: 'mixscaler_warnings',
    help: 'What looked wrong in the metrics and ScaledObjects that the last decision rests on.',
    registers: [registry],
    collect() {
      if (decidedAt === undefined) this.remove()
    },
  })
  const timestamp = new Gauge({
    name: 'mixscaler_decision_timestamp_seconds',
    help: 'The tick of the last decision: a server that starts goes on from there.',
    registers: [registry],
    collect() {
      if (decidedAt === undefined) this.remove()
    },
  })
  const following = new Gauge({
    name: 'mixscaler_followed_timestamp_seconds',
    help: 'The tick whose targets KEDA is told as another server decided them, while the past is read; absent where this server decides.',
    registers: [registry],
    collect() {
      if (followedAt === undefined) this.remove()
    },
  })
  const policies = policyGauges(registry)
  const variants = variantGauges(registry)
  const classes = classGauges(registry)
  const clear = (): void => {
    for (const each of [policies, variants, classes]) each.clear()
  }
  return {
    decided: (decision, state) => {
      decidedAt = decision.at
      followedAt = undefined
      timestamp.set(decision.at)
      warnings.set(decision.warnings.length)
      clear()
      for (const policy of decision.policies) {
        const labels = { namespace: policy.namespace, policy: policy.name }
        policies.show(labels, policy, state.policies[policy.id])
        for (const variant of policy.variants)
          variants.show({ ...labels, variant: variant.name }, variant, state.variants[variant.id])
        for (const each of policy.classes)
          classes.show({ ...labels, class: each.name }, each, state.classes[each.id])
      }
    },
    followed: (at) => {
      decidedAt = undefined
      followedAt = at
      following.set(at)
      clear()
    },
  }
}

function policyGauges(registry: Registry) {
  const { add, clear } = family(registry, policyLabels)
  const status = add('decision_status', '1 for the status that the last decision gave the policy.', [
    'status',
  ])
  const spare = add(
    'spare_since_timestamp_seconds',
    'Since when fewer of the replicas that are kept would do, at every tick; absent while they would not.',
  )
  const cost = add('plan_cost_per_hour', 'Cost per hour of what runs now, and of the targets.', ['of'])
  return {
    clear,
    show: (labels: Labels, policy: PolicyDecision, known: PolicyMemory | undefined) => {
      if (known?.spareSince !== undefined) spare(labels, known.spareSince)
      for (const each of ['planned', 'shortfall', 'held'] as const)
        status({ ...labels, status: each }, policy.status === each ? 1 : 0)
      cost({ ...labels, of: 'now' }, policy.costPerHour.now)
      cost({ ...labels, of: 'plan' }, policy.costPerHour.plan)
      cost({ ...labels, of: 'target' }, policy.costPerHour.target)
    },
  }
}

function variantGauges(registry: Registry) {
  const { add, clear } = family(registry, variantLabels)
  const target = add('target_replicas', 'Replicas that KEDA is told.')
  const available = add('target_available', '1 where KEDA gets a target, 0 where it gets an error.')
  const wanted = add('wanted_replicas', 'Replicas that the optimizer wants, before stabilizing.')
  const effective = add(
    'effective_replicas',
    'Replicas that the HPA will make of the target, given its tolerance.',
  )
  const current = add(
    'current_replicas',
    'Replicas there are, by state; desired is the scale target’s own count.',
    ['state'],
  )
  const price = add('replica_cost_per_hour', 'Cost of one replica per hour.')
  const ratio = add('profile_time_ratio', 'Measured time of the engines over what their profile says.')
  const correction = add(
    'profile_correction_ratio',
    'Factor on the profile’s coefficients that sizing takes: base (a, ap, x) and slopes (the others).',
    ['of'],
  )
  const overhead = add('profile_overhead_seconds', 'Added to the profile’s h: TTFT that no work explains.')
  const digest = add('profile_digest', 'Of the profile’s coefficients, to which the correction belongs.')
  const offSince = add(
    'profile_off_since_timestamp_seconds',
    'Since when the engines have been more than 5 % off their profile, to the same side; absent while they are not.',
  )
  // What is remembered, so that it outlasts a restart while nothing can be seen of the variant.
  const showSpeed = (labels: Labels, { profile, learnt }: SpeedMemory): void => {
    digest(labels, profile)
    if (learnt === undefined) return
    ratio(labels, learnt.ratio)
    correction({ ...labels, of: 'base' }, learnt.applied.base)
    correction({ ...labels, of: 'slopes' }, learnt.applied.slopes)
    overhead(labels, learnt.applied.overheadMs / 1000)
    if (learnt.offSince !== undefined) offSince(labels, learnt.offSince)
  }
  return {
    clear,
    show: (labels: Labels, variant: VariantDecision, known: VariantMemory | undefined) => {
      target(labels, variant.target)
      available(labels, isMissing(variant.target) ? 0 : 1)
      wanted(labels, variant.wanted)
      effective(labels, variant.effective)
      price(labels, variant.costPerReplicaHour)
      if (known?.speed !== undefined) showSpeed(labels, known.speed)
      if (isMissing(variant.replicas)) return
      for (const state of ['desired', 'ready', 'starting', 'terminating'] as const)
        current({ ...labels, state }, variant.replicas[state])
    },
  }
}

function classGauges(registry: Registry) {
  const { add, clear } = family(registry, classLabels)
  const demand = add('demand_requests_per_second', 'Requests per second that arrive now.')
  const forecast = add(
    'forecast_requests_per_second',
    'Requests per second forecast for when a replica ordered now is ready, at the policy’s quantile.',
  )
  const planned = add('planned_requests_per_second', 'Requests per second that the plan is made for.')
  const shortfall = add(
    'shortfall_requests_per_second',
    'Requests per second that no allowed replica carries.',
  )
  const attainment = add(
    'slo_attainment_ratio',
    'Share of requests within the bound, by the fleet’s histograms.',
    ['bound'],
  )
  const workAhead = add(
    'work_ahead_ratio',
    'Work of a request by the time a replica ordered now is ready, over now: above 1 where requests get longer.',
  )
  const headroom = add('headroom_ratio', 'Added to demand before sizing, as a share of it.')
  const learnt = add(
    'headroom_learnt_ratio',
    'Of that, what broken SLOs taught; below 0: what they gave back.',
  )
  const memory = add(
    'headroom_memory_ratio',
    'The memory behind it, unrounded: what was learnt, the broken over the allowed of the last hours that taught (spent), of the last day what no headroom could have kept (lost), and what is kept back for that (reserve).',
    ['of'],
  )
  const usual = add(
    'headroom_usual_requests_per_second',
    'Mean demand of about the last day: what broke in a minute counts by its requests beside this.',
  )
  const broken = add(
    'slo_broken_ratio',
    'Share of the last minute’s requests late beyond what the SLO’s percentile allows.',
  )
  return {
    clear,
    show: (labels: Labels, each: ClassDecision, known: ClassMemory | undefined) => {
      if (known?.headroom !== undefined) {
        memory({ ...labels, of: 'learnt' }, known.headroom.learnt)
        memory({ ...labels, of: 'spent' }, known.headroom.spent)
        memory({ ...labels, of: 'lost' }, known.headroom.lost)
        memory({ ...labels, of: 'reserve' }, known.headroom.reserve)
        if (known.headroom.usual !== undefined) usual(labels, known.headroom.usual)
      }
      demand(labels, each.demand)
      if (!isMissing(each.forecast)) forecast(labels, each.forecast.atQuantile)
      planned(labels, each.plannedFor)
      shortfall(labels, each.shortfall)
      workAhead(labels, each.workAhead)
      headroom(labels, each.headroom.planned)
      learnt(labels, each.headroom.learnt)
      broken(labels, each.headroom.broken)
      attainment({ ...labels, bound: 'ttft' }, each.attainment.ttft)
      attainment({ ...labels, bound: 'itl' }, each.attainment.itl)
    },
  }
}

/** Gauges that share labels and are emptied together. */
function family(registry: Registry, shared: readonly string[]) {
  const gauges: Gauge[] = []
  return {
    clear: () => {
      for (const gauge of gauges) gauge.reset()
    },
    add: (name: string, help: string, more: readonly string[] = []) => {
      const gauge = new Gauge({
        name: `mixscaler_${name}`,
        help,
        labelNames: [...shared, ...more],
        registers: [registry],
      })
      gauges.push(gauge)
      return (labels: Labels, reading: Reading) => {
        if (!isMissing(reading)) gauge.set(labels, reading)
      }
    },
  }
}
