// What demand alone teaches, from observations of the past that hold nothing else: at its start a server learns days
// of demand by this and the last minutes by `decide`, and then knows what it would know had it never stopped.
import { remembered } from './forecast/ahead.ts'
import type { EnterDemand } from './forecast/history.ts'
import type { Observation } from './observation.ts'
import { type ClassId, type PolicySet, serves } from './policy.ts'
import { isMissing } from './reading.ts'

import type { ClassMemory, State } from './state.ts'
import { readDemand } from './view.ts'

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
    const { variants, unseen, shapes, demand } = readDemand(policy, state, observation)
    const hidden = unseen.map(({ variant }) => variant)
    for (const trafficClass of policy.classes) {
      const past = classes[trafficClass.id]
      const shape = shapes.get(trafficClass)
      const read = shape?.origin === 'observed' ? { ...past, shape } : past
      if (read !== undefined) classes[trafficClass.id] = read
      const asked = demand[trafficClass.id]
      if (asked === undefined || isMissing(asked.requestsPerSecond)) continue
      if (!variants.some((variant) => serves(variant, trafficClass))) continue
      const { at } = observation
      const forecast = remembered(
        policy,
        trafficClass,
        asked.readAt,
        hidden,
        past?.forecast,
        at,
        asked.requestsPerSecond,
        enter,
      )
      classes[trafficClass.id] = {
        ...read,
        ...(isMissing(forecast) ? {} : { forecast }),
        ...(asked.tolerant === undefined ? {} : { ledger: asked.tolerant.ledger }),
      }
    }
  }
  return { ...state, classes }
}
