// What the past teaches without a plan: days of demand from observations that hold nothing else, and the last minutes from
// all that was seen. A server that starts learns by this, repeats only its last decisions, and then knows what it would
// know had it never stopped.
import { burstsOf } from './demand/burst.ts'
import { isBusy, proveIdle } from './demand/idle.ts'
import type { DemandReadAt } from './demand/readAt.ts'
import { lookAhead, remembered } from './forecast/ahead.ts'
import { type EnterDemand, enterDemand } from './forecast/history.ts'
import { learnSpeeds } from './learning.ts'
import type { Observation } from './observation.ts'
import {
  type ClassId,
  type PolicyId,
  type PolicySet,
  type ScalingPolicy,
  serves,
  type VariantId,
} from './policy.ts'
import { type ReadDemand, readDemand } from './readDemand.ts'
import { isMissing } from './reading.ts'
import { scheduledDemand } from './schedule/demand.ts'
import { inForce } from './schedule/inForce.ts'
import { holdOf, plannedFor, policyMemory } from './seenDemand.ts'
import type { ClassMemory, PolicyMemory, State, VariantMemory } from './state.ts'

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
    memories[policy.id] = policyMemory(policy, read.variants, state, at)
    Object.assign(classes, held(policy, read, state, at, enter))
  }
  return { ...state, policies: memories, classes }
}

/**
 * All that `decide` remembers of a tick where everything was seen, but for what follows from plans: last targets, headroom,
 * and what was carried of work that states no backlog.
 */
export function learnTick({ policies }: PolicySet, state: State, observation: Observation): State {
  const { at } = observation
  const classes: Record<ClassId, ClassMemory> = { ...state.classes }
  const memories: Record<PolicyId, PolicyMemory> = { ...state.policies }
  const variants: Record<VariantId, VariantMemory> = { ...state.variants }
  for (const policy of policies) {
    const read = readDemand(policy, state, observation)
    memories[policy.id] = policyMemory(policy, read.variants, state, at)
    const entered = held(policy, read, state, at, enterDemand)
    for (const [id, memory] of Object.entries(entered))
      classes[id] = withQuiet(policy, id, memory, read, state, observation)
    for (const [{ id }, speed] of learnSpeeds(policy, read.variants, observation, state)) {
      const known = variants[id]
      if (known !== undefined) variants[id] = { ...known, speed }
    }
  }
  return { ...state, policies: memories, variants, classes }
}

/** With what only ticks tell: arrivals over seconds, and that nothing arrives. */
function withQuiet(
  policy: ScalingPolicy,
  id: ClassId,
  { burst: _, idle: __, ...memory }: ClassMemory,
  read: ReadDemand,
  state: State,
  observation: Observation,
): ClassMemory {
  const before = state.classes[id]
  const own = policy.classes.filter((each) => each.id === id)
  const [[trafficClass, burst] = []] = burstsOf(own, read.variants, observation, () => before?.burst)
  const asked = knownDemand(policy, read, id) && read.demand[id]
  const busy = policy.classes.filter((other) => other.id !== id && isBusy(read.demand[other.id]))
  const idle =
    trafficClass && asked && proveIdle(before?.idle, trafficClass, asked, read.variants, observation, busy)
  return {
    ...memory,
    ...(burst === undefined || burst.memory.rates.length === 0 ? {} : { burst: burst.memory }),
    ...(idle === undefined ? {} : { idle }),
  }
}

/** Of every class of the policy. */
function held(
  policy: ScalingPolicy,
  read: ReadDemand,
  state: State,
  at: number,
  enter: EnterDemand,
): Readonly<Record<ClassId, ClassMemory>> {
  const classes: Record<ClassId, ClassMemory> = {}
  const calendar = inForce(policy, at)
  const memory = policyMemory(policy, read.variants, state, at)
  const hidden = read.unseen.map(({ variant }) => variant)
  const entered = learnt(policy, read, state, at, enter)
  for (const trafficClass of policy.classes) {
    const past = state.classes[trafficClass.id]
    const { demand: _, ...rest } = entered[trafficClass.id] ?? past ?? {}
    const known = knownDemand(policy, read, trafficClass.id)
    if (known === undefined) {
      const standsIn = read.demand[trafficClass.id]?.standIn !== undefined && past?.demand !== undefined
      classes[trafficClass.id] = standsIn ? { ...rest, demand: past.demand } : rest
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
  return classes
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
