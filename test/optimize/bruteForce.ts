// The best plan by trying every vector of counts: the judge of the optimizer on problems small enough for it.
// Flow is decided by a dense simplex of its own, on paths (a unified variant, or a prefill and a decode one).
import type { MixClass, MixProblem, MixVariant } from '../../src/core/optimize/mix.ts'

export interface Best {
  /** Requests per second short, by ascending priority; then what losses leave uncarried. */
  readonly short: readonly number[]
  readonly uncarriedAfterLoss: number
  /** Replicas and starts, per hour. */
  readonly cost: number
}

export function bruteForce(problem: MixProblem): Best {
  let best: Best | undefined
  for (const counts of countVectors(problem, 0)) {
    if (!isAllowed(problem, counts)) continue
    const short = shortByPriority(problem, counts)
    const candidate: Best = {
      short,
      uncarriedAfterLoss: isPositive(short) ? 0 : afterLosses(problem, counts),
      cost: problem.variants.reduce((sum, variant, index) => {
        const count = counts[index] ?? 0
        return sum + count * variant.costPerHour + Math.max(0, count - variant.current) * variant.startCost
      }, 0),
    }
    if (best === undefined || isBetter(candidate, best)) best = candidate
  }
  if (best === undefined) throw new Error('no vector of counts is allowed')
  return best
}

export function priorities(problem: MixProblem): readonly number[] {
  return [...new Set(problem.classes.map((demand) => demand.priority))].sort((x, y) => x - y)
}

export function isPositive(short: readonly number[]): boolean {
  return short.some((rate) => rate > 1e-6)
}

function isBetter(x: Best, y: Best): boolean {
  const left = [...x.short, x.uncarriedAfterLoss, x.cost]
  const right = [...y.short, y.uncarriedAfterLoss, y.cost]
  const differs = left.findIndex((value, index) => Math.abs(value - (right[index] ?? 0)) > 1e-7)
  return differs >= 0 && (left[differs] ?? 0) < (right[differs] ?? 0)
}

function* countVectors(problem: MixProblem, from: number): Generator<readonly number[]> {
  const variant = problem.variants[from]
  if (variant === undefined) {
    yield []
    return
  }
  for (let count = variant.min; count <= variant.max; count++) {
    if (!isReachable(variant, count, problem.hpaTolerance)) continue
    for (const rest of countVectors(problem, from + 1)) yield [count, ...rest]
  }
}

function isReachable(variant: MixVariant, count: number, tolerance: number): boolean {
  const from = Math.min(Math.max(variant.current, variant.min), variant.max)
  return count === from || from === 0 || Math.abs(count / from - 1) > tolerance + 1e-9
}

/** What the HPA leaves running at the least. */
function fewest(problem: MixProblem, variant: MixVariant): number {
  for (let count = variant.min; count < variant.max; count++) {
    if (isReachable(variant, count, problem.hpaTolerance)) return count
  }
  return variant.max
}

function isAllowed(problem: MixProblem, counts: readonly number[]): boolean {
  const within = (most: number, weigh: (variant: MixVariant) => number): boolean => {
    const used = problem.variants.reduce((sum, v, index) => sum + weigh(v) * (counts[index] ?? 0), 0)
    const least = problem.variants.reduce((sum, v) => sum + weigh(v) * fewest(problem, v), 0)
    return used <= Math.max(most, least) + 1e-9
  }
  return (
    problem.pools.every((pool) => within(pool.gpus, (v) => (v.pool === pool.name ? v.gpusPerReplica : 0))) &&
    (problem.budgetPerHour === undefined || within(problem.budgetPerHour, (v) => v.costPerHour))
  )
}

function shortByPriority(problem: MixProblem, counts: readonly number[]): readonly number[] {
  const levels = priorities(problem)
  const served = maximizeServed(problem, counts, levels, true)
  return levels.map((priority, level) => {
    const asked = problem.classes
      .filter((demand) => demand.priority === priority)
      .reduce((sum, demand) => sum + demand.requestsPerSecond, 0)
    return asked - (served[level] ?? 0)
  })
}

function afterLosses(problem: MixProblem, counts: readonly number[]): number {
  if (problem.surviveReplicas === 0) return 0
  const asked = problem.classes.reduce((sum, demand) => sum + demand.requestsPerSecond, 0)
  return counts.reduce((sum, count, index) => {
    if (count === 0) return sum
    const left = counts.map((n, i) => (i === index ? Math.max(0, n - problem.surviveReplicas) : n))
    const [served] = maximizeServed(problem, left, [undefined], false)
    return sum + asked - (served ?? 0)
  }, 0)
}

interface Path {
  readonly demand: MixClass
  readonly variants: readonly number[]
}

/** Requests per second served of each level (a priority, or undefined for all), earlier levels first. */
function maximizeServed(
  problem: MixProblem,
  counts: readonly number[],
  levels: readonly (number | undefined)[],
  sharesHold: boolean,
): readonly number[] {
  const paths = problem.classes.flatMap((demand) => pathsOf(problem, demand))
  const rows: number[][] = []
  const limits: number[] = []
  const add = (limit: number, weigh: (path: Path) => number): void => {
    rows.push(paths.map(weigh))
    limits.push(limit)
  }
  for (const demand of problem.classes) {
    add(demand.requestsPerSecond, (path) => (path.demand === demand ? 1 : 0))
  }
  for (const [index, variant] of problem.variants.entries()) {
    const work = (path: Path): number =>
      path.variants.includes(index)
        ? 1 / problem.capacity(path.demand.id, variant.id, Math.max(1, counts[index] ?? 1))
        : 0
    add(counts[index] ?? 0, work)
    if (!sharesHold || variant.maxShare >= 1) continue
    for (const demand of problem.classes) {
      const most = variant.maxShare * demand.requestsPerSecond
      add(most, (path) => (path.demand === demand && path.variants.includes(index) ? 1 : 0))
    }
  }
  const objectives = levels.map((level) =>
    paths.map((path) => (level === undefined || path.demand.priority === level ? 1 : 0)),
  )
  return simplex(rows, limits, objectives)
}

function pathsOf(problem: MixProblem, demand: MixClass): readonly Path[] {
  const can = (variant: MixVariant): boolean => problem.capacity(demand.id, variant.id, 1) > 0
  const found: Path[] = []
  for (const [first, variant] of problem.variants.entries()) {
    if (!can(variant) || variant.role === 'decode') continue
    if (variant.role === 'unified') found.push({ demand, variants: [first] })
    for (const [second, other] of problem.variants.entries()) {
      const pairs = other.role === 'decode' && other.transferGroup === variant.transferGroup
      if (variant.role === 'prefill' && pairs && can(other)) found.push({ demand, variants: [first, second] })
    }
  }
  return found
}

/** Lexicographic maximum of the objectives over `rows x <= limits`, x >= 0, limits >= 0, by Bland's rule. */
function simplex(
  rows: readonly (readonly number[])[],
  limits: readonly number[],
  objectives: readonly (readonly number[])[],
): readonly number[] {
  const width = rows[0]?.length ?? 0
  const body = rows.map((row, i) => [...row, ...rows.map((_, j) => (i === j ? 1 : 0)), limits[i] ?? 0])
  const costs = objectives.map((row) => [...row, ...rows.map(() => 0), 0])
  const basis = rows.map((_, i) => width + i)
  const last = width + rows.length
  for (;;) {
    const entering = Array.from({ length: last }, (_, j) => j).find((j) => {
      const first = costs.find((row) => Math.abs(row[j] ?? 0) > 1e-9)
      return first !== undefined && (first[j] ?? 0) > 0
    })
    if (entering === undefined) return costs.map((row) => -(row[last] ?? 0))
    let leaving = -1
    let lowest = Infinity
    for (const [i, row] of body.entries()) {
      const pivot = row[entering] ?? 0
      if (pivot <= 1e-9) continue
      const ratio = (row[last] ?? 0) / pivot
      const earlier = leaving >= 0 && (basis[i] ?? 0) < (basis[leaving] ?? 0)
      if (ratio < lowest - 1e-12 || (ratio <= lowest + 1e-12 && earlier)) {
        lowest = ratio
        leaving = i
      }
    }
    const pivotRow = body[leaving]
    if (pivotRow === undefined) throw new Error('unbounded')
    const pivot = pivotRow[entering] ?? 1
    for (let j = 0; j <= last; j++) pivotRow[j] = (pivotRow[j] ?? 0) / pivot
    for (const row of [...body, ...costs]) {
      const factor = row[entering] ?? 0
      if (row === pivotRow || factor === 0) continue
      for (let j = 0; j <= last; j++) row[j] = (row[j] ?? 0) - factor * (pivotRow[j] ?? 0)
    }
    basis[leaving] = entering
  }
}
