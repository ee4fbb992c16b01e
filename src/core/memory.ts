// What is remembered of a policy after a tick. What could not be read or planned at this one stays as it was.
import type { Burstiness } from './demand/burst.ts'
import { carriedBy } from './demand/supply.ts'
import type { LearntHeadroom } from './learning.ts'
import type { MixPlan } from './optimize/mix.ts'
import type { PolicyPlan } from './plan.ts'
import type { ClassId, TrafficClass, VariantId } from './policy.ts'
import { isMissing } from './reading.ts'
import type { SeenDemand } from './seenDemand.ts'
import type { Move } from './stabilize/targets.ts'
import {
  type ClassMemory,
  type PolicyMemory,
  type State,
  targetBefore,
  type VariantMemory,
  wantedBefore,
} from './state.ts'
import type { PolicyView } from './view.ts'

/** Replicas are spared for what was seen at every tick. */
export function policyMemoryOf({ memory }: PolicyView, planned: PolicyPlan | undefined): PolicyMemory {
  const { spareSince: _, ...known } = memory
  return planned?.spareSince === undefined ? known : { ...known, spareSince: planned.spareSince }
}

export function memoryOf(
  view: PolicyView,
  plan: MixPlan | undefined,
  moved: ReadonlyMap<VariantId, Move>,
  state: State,
  at: number,
): Readonly<Record<VariantId, VariantMemory>> {
  const memories: Record<VariantId, VariantMemory> = {}
  const learns = view.policy.behavior.learn.speed === 'on'
  for (const variant of view.policy.variants) {
    const { id } = variant
    const move = moved.get(id)
    const known = state.variants[id]
    const memory = move === undefined ? known : planned(move, plan?.replicas[id], known, at)
    const speed = learns ? (view.speeds.get(variant) ?? known?.speed) : undefined
    if (memory === undefined) continue
    const { speed: _, ...rest } = memory
    memories[id] = { ...rest, ...(speed === undefined ? {} : { speed }) }
  }
  return memories
}

function planned(
  { target }: Move,
  wanted: number | undefined,
  known: VariantMemory | undefined,
  at: number,
): VariantMemory {
  const [before, lastWanted] = [targetBefore(known, at), wantedBefore(known, at)]
  return {
    ...{ target, plannedAt: at },
    ...(before === undefined ? {} : { before }),
    ...(wanted === undefined ? {} : { wanted }),
    ...(lastWanted === undefined ? {} : { wantedBefore: lastWanted }),
  }
}

export function classMemory(
  view: PolicyView,
  plan: MixPlan | undefined,
  state: State,
): Readonly<Record<ClassId, ClassMemory>> {
  return Object.fromEntries(
    [...view.shapes].map(([trafficClass, shape]) => {
      const { id } = trafficClass
      const known = view.demand.get(trafficClass)
      return [
        id,
        {
          ...(known === undefined ? {} : { demand: known.window }),
          ...noiseMemory(known, state.classes[id]),
          ...forecastMemory(known, state.classes[id]),
          ...quietMemory(known, state.classes[id], view.bursts.get(trafficClass)),
          ...headroomMemory(view.headrooms.get(trafficClass)),
          ...(shape.origin === 'observed' ? { shape } : {}),
          ...tolerantMemory(trafficClass, view, plan, state),
        },
      ]
    }),
  )
}

function noiseMemory(
  known: SeenDemand | undefined,
  before: ClassMemory | undefined,
): Pick<ClassMemory, 'noise'> {
  const noise = known?.noise ?? before?.noise
  return noise === undefined ? {} : { noise }
}

/** What demand could not be entered into at this tick stays as it was. */
function forecastMemory(
  known: SeenDemand | undefined,
  before: ClassMemory | undefined,
): Pick<ClassMemory, 'forecast'> {
  const ahead = known === undefined || isMissing(known.ahead) ? undefined : known.ahead.history
  const forecast = ahead ?? before?.forecast
  return forecast === undefined ? {} : { forecast }
}

/** Idleness needs every tick: what was not proven at this one begins anew. */
function quietMemory(
  known: SeenDemand | undefined,
  before: ClassMemory | undefined,
  burst: Burstiness | undefined,
): Pick<ClassMemory, 'idle' | 'bases' | 'burst'> {
  const { idle, scheduled } = known ?? {}
  const bases = scheduled?.bases ?? before?.bases ?? {}
  return {
    ...(idle === undefined ? {} : { idle }),
    ...(Object.keys(bases).length === 0 ? {} : { bases }),
    ...(burst === undefined || burst.memory.rates.length === 0 ? {} : { burst: burst.memory }),
  }
}

function headroomMemory(learnt: LearntHeadroom | undefined): Pick<ClassMemory, 'headroom'> {
  return learnt === undefined ? {} : { headroom: learnt.memory }
}

/** What was not read or not planned at this tick stays as it was. */
function tolerantMemory(
  trafficClass: TrafficClass,
  { tolerant, headroomOf }: PolicyView,
  plan: MixPlan | undefined,
  state: State,
): Pick<ClassMemory, 'ledger' | 'carried'> {
  const { id, serviceLevel, demand } = trafficClass
  if (serviceLevel.kind === 'interactive' || demand.kind === 'engine') return {}
  const known = state.classes[id]
  const ledger = tolerant.get(trafficClass)?.ledger ?? known?.ledger
  const carried = plan === undefined ? known?.carried : carriedBy(plan, id, headroomOf(trafficClass))
  return {
    ...(ledger === undefined ? {} : { ledger }),
    ...(carried === undefined ? {} : { carried }),
  }
}
