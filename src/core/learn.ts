// What demand alone teaches, from observations of the past that hold nothing else: at its start a server learns days
// of demand by this and the last minutes by `decide`, and then knows what it would know had it never stopped.
import type { DemandReadAt } from './demand/readAt.ts'
import { lookAhead, remembered } from './forecast/ahead.ts'
import type { EnterDemand } from './forecast/history.ts'
import type { Observation } from './observation.ts'
import { type ClassId, type PolicyId, type PolicySet, type ScalingPolicy, serves } from './policy.ts'
import { type ReadDemand, readDemand } from './readDemand.ts'
import { isMissing } from './reading.ts'
import { scheduledDemand } from './schedule/demand.ts'
import { inForce } from './schedule/inForce.ts'
import { holdOf, plannedFor, policyMemory } from './seenDemand.ts'
import type { ClassMemory, PolicyMemory, State } from './state.ts'

/**
 * The state with one more instant of demand, entered by `enter`, of the work that waits for a deadline, and of lengths. Nothing is
 * planned, so what a plan carries of a class that states no backlog is taken to be nothing.
 */
export function learn(
  { policies }: PolicySet,
  state: State,
  observation: Observation,
  enter: EnterDemand,
): State {
  const classes: Record<ClassId, ClassMemory> = { ...state.classes }
  for (const policy of policies) {
    const read = readDemand(policy, state, observation)
    Object.assign(classes, learnt(policy, read, state, observation.at, enter))
  }
  return { ...state, classes }
}

/** The same at an instant of the tick grid, and what is held: which peaks may still be planned for, and how noisy they are. */
export function learnHold(
  { policies }: PolicySet,
  state: State,
  observation: Observation,
  enter: EnterDemand,
): State {
  const { at } = observation
  const classes: Record<ClassId, ClassMemory> = { ...state.classes }
  const memories: Record<PolicyId, PolicyMemory> = { ...state.policies }
  for (const policy of policies) {
    const read = readDemand(policy, state, observation)
    const calendar = inForce(policy, at)
    const memory = policyMemory(policy, read.variants, state, at)
    memories[policy.id] = memory
    const hidden = read.unseen.map(({ variant }) => variant)
    const entered = learnt(policy, read, state, at, enter)
    for (const trafficClass of policy.classes) {
      const past = state.classes[trafficClass.id]
      const { demand: _, ...rest } = entered[trafficClass.id] ?? past ?? {}
      const known = knownDemand(policy, read, trafficClass.id)
      if (known === undefined) {
        classes[trafficClass.id] = rest
        continue
      }
      const { rate, readAt } = known
      const ahead = lookAhead(policy, trafficClass, readAt, hidden, past?.forecast, at, rate)
      const rules = calendar.demand[trafficClass.id] ?? []
      const scheduled = scheduledDemand(plannedFor(rate, ahead), rules, past?.bases ?? {})
      const { window, noise } = holdOf(policy, past, memory, at, scheduled.requestsPerSecond)
      classes[trafficClass.id] = {
        ...rest,
        demand: window,
        ...(noise === undefined ? {} : { noise }),
        ...(Object.keys(scheduled.bases).length === 0 ? {} : { bases: scheduled.bases }),
      }
    }
  }
  return { ...state, policies: memories, classes }
}

function learnt(
  policy: ScalingPolicy,
  read: ReadDemand,
  state: State,
  at: number,
  enter: EnterDemand,
): Readonly<Record<ClassId, ClassMemory>> {
  const classes: Record<ClassId, ClassMemory> = {}
  const hidden = read.unseen.map(({ variant }) => variant)
  for (const trafficClass of policy.classes) {
    const { id } = trafficClass
    const past = state.classes[id]
    const shape = read.shapes.get(trafficClass)
    const known = shape?.origin === 'observed' ? { ...past, shape } : past
    if (known !== undefined) classes[id] = known
    const asked = knownDemand(policy, read, id)
    if (asked === undefined) continue
    const { rate, readAt } = asked
    const forecast = remembered(policy, trafficClass, readAt, hidden, past?.forecast, at, rate, enter)
    const ledger = read.demand[id]?.tolerant?.ledger
    classes[id] = {
      ...known,
      ...(isMissing(forecast) ? {} : { forecast }),
      ...(ledger === undefined ? {} : { ledger }),
    }
  }
  return classes
}

interface KnownDemand {
  /** Requests per second. */
  readonly rate: number
  readonly readAt: DemandReadAt
}

/** Of a class that variants in sight serve, where its demand can be read at this very instant. */
function knownDemand(
  policy: ScalingPolicy,
  { variants, demand }: ReadDemand,
  id: ClassId,
): KnownDemand | undefined {
  const trafficClass = policy.classes.find((one) => one.id === id)
  const asked = demand[id]
  if (trafficClass === undefined || asked === undefined || asked.standIn !== undefined) return undefined
  const { requestsPerSecond: rate, readAt } = asked
  if (isMissing(rate)) return undefined
  return variants.some((variant) => serves(variant, trafficClass)) ? { rate, readAt } : undefined
}
