// How little can be left short where pools do not suffice: a bound for each priority from the relaxation of all models
// together, and what each model takes of the pools there. A rationed plan is judged by the first and guided by the second.
import type { ClassId } from '../policy.ts'
import type { EngineLimits, Engines, Entry, LinearProgram, Row } from './engine.ts'
import { sizingAt } from './fixedPoint.ts'
import { memoized, toInstance, unservable } from './instance.ts'
import type { MixPool, MixProblem } from './mix.ts'
import { buildProgram, type MixProgram } from './program.ts'

/** Requests per second over all classes of a priority. */
export interface LeastShort {
  readonly priority: number
  /** No plan that is as good at the more urgent priorities leaves less short. */
  readonly requestsPerSecond: number
}

export interface RelaxedPlan {
  readonly least: readonly LeastShort[]
  /** Requests per second that one more GPU serves at the first priority that must go short, by the order of the pools. */
  readonly worth: readonly number[]
  /** The share of each class that is served. */
  readonly served: ReadonlyMap<ClassId, number>
}

/** Shortfall is minimized to so much of what a priority asks for. */
const slack = 1e-6

const limits: EngineLimits = { relativeGap: 1e-9, maxNodes: 1 }

/**
 * Capacity is taken at the most replicas there may be, so that no plan can do better. `known` says what a plan leaves short at
 * a priority: a later bound then holds for every plan that is no worse at the earlier ones. Undefined where the engine
 * does not answer.
 */
export function leastShort(
  problems: readonly MixProblem[],
  pools: readonly MixPool[],
  engines: Engines,
  known: (priority: number) => number | undefined,
): RelaxedPlan | undefined {
  const capacityAt = memoized()
  const instance = toInstance(problems, pools, capacityAt)
  const variants = instance.blocks.flatMap((block) => block.variants)
  const most = new Map(variants.map((variant) => [variant.id, Math.max(1, variant.max)]))
  const mix = buildProgram(instance, sizingAt(most, capacityAt), new Set())
  const columns = mix.program.columns.map((column) => ({ ...column, cost: 0, integer: false }))
  let program: LinearProgram = { ...mix.program, columns }
  let values: readonly number[] = []
  let worth: readonly number[] = pools.map(() => 0)
  const least: LeastShort[] = []
  const demands = problems.flatMap((problem) => problem.classes)
  const priorities = [...new Set(demands.map((demand) => demand.priority))].sort((x, y) => x - y)
  for (const priority of priorities) {
    const never = instance.blocks
      .flatMap(unservable)
      .filter((demand) => demand.priority === priority)
      .reduce((sum, demand) => sum + demand.requestsPerSecond, 0)
    const level = shortAt(priority, problems, mix)
    const asked = level.reduce((sum, { coefficient }) => sum + coefficient, 0)
    const answer = engines.large(minimizing(program, level), limits)
    if (answer.status !== 'solved') return undefined
    values = answer.values
    const bound = Math.max(0, answer.lowerBound)
    if (worth.every((price) => price === 0)) {
      const { rowPrices = [] } = answer
      worth = pools.map(({ name }) => Math.max(0, -(rowPrices[mix.named.pools.get(name) ?? -1] ?? 0)))
    }
    least.push({ priority, requestsPerSecond: never + bound })
    const allowed = Math.max(bound, (known(priority) ?? 0) - never) + slack * asked
    const row: Row = { lower: Number.NEGATIVE_INFINITY, upper: allowed, entries: level }
    program = { ...program, rows: [...program.rows, row] }
  }
  const served = new Map([...mix.short].map(([id, column]) => [id, 1 - (values[column] ?? 0)]))
  return { least, worth, served }
}

function shortAt(priority: number, problems: readonly MixProblem[], mix: MixProgram): readonly Entry[] {
  return problems.flatMap((problem) =>
    problem.classes.flatMap((demand) => {
      const column = mix.short.get(demand.id)
      return column === undefined || demand.priority !== priority
        ? []
        : [{ column, coefficient: demand.requestsPerSecond }]
    }),
  )
}

function minimizing(program: LinearProgram, level: readonly Entry[]): LinearProgram {
  const costs = new Map(level.map((entry) => [entry.column, entry.coefficient]))
  const columns = program.columns.map((column, index) => ({ ...column, cost: costs.get(index) ?? 0 }))
  return { ...program, columns }
}
