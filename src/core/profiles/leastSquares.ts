// Non-negative least squares, robust: the coefficients of an iteration law are times, and times are not negative.
// Active sets after Lawson and Hanson, "Solving Least Squares Problems" (1974), chapter 23; outliers are weighed
// down after Huber (1964). A dozen columns and a few thousand rows: small enough to be plain.

/** One equation `sum coefficients x = value`; all rows have as many coefficients. */
export interface Equation {
  readonly coefficients: readonly number[]
  readonly value: number
  /** Both sides are multiplied by it: 1 / value makes relative errors count. */
  readonly weight: number
}

/** Minimizes `sum (weight (sum coefficients x - value))^2` over x >= 0. */
export function nonNegativeLeastSquares(equations: readonly Equation[]): readonly number[] {
  const columns = equations[0]?.coefficients.length ?? 0
  const rows = equations.map(({ coefficients, weight }) => coefficients.map((each) => each * weight))
  const right = equations.map(({ value, weight }) => value * weight)
  // Columns differ by six orders of magnitude: each is scaled to length 1.
  const scales = Array.from({ length: columns }, (_, j) => norm(rows.map((row) => row[j] ?? 0)) || 1)
  const matrix = rows.map((row) => row.map((each, j) => each / (scales[j] ?? 1)))
  return activeSets(matrix, right, columns).map((each, j) => each / (scales[j] ?? 1))
}

const reweightings = 20

/** The same, with residuals beyond so many standard deviations (estimated by their median) counting linearly. */
export function robustLeastSquares(equations: readonly Equation[], bend: number): readonly number[] {
  let solution = nonNegativeLeastSquares(equations)
  for (let round = 0; round < reweightings; round++) {
    const residuals = equations.map((equation) => Math.abs(residualOf(equation, solution)))
    const spread = 1.4826 * median(residuals)
    if (!(spread > 1e-12)) return solution
    const next = nonNegativeLeastSquares(
      equations.map((equation, i) => {
        const excess = (residuals[i] ?? 0) / (bend * spread)
        return excess <= 1 ? equation : { ...equation, weight: equation.weight / Math.sqrt(excess) }
      }),
    )
    const moved = next.some((each, j) => Math.abs(each - (solution[j] ?? 0)) > 1e-6 * Math.abs(each))
    solution = next
    if (!moved) return solution
  }
  return solution
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** Linear between the sorted values; 0 where there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  const at = share * (sorted.length - 1)
  const low = sorted[Math.floor(at)] ?? 0
  const high = sorted[Math.ceil(at)] ?? low
  // Equal ones may be infinite, and then have no difference.
  return low === high ? low : low + (at - Math.floor(at)) * (high - low)
}

function residualOf({ coefficients, value, weight }: Equation, solution: readonly number[]): number {
  return weight * (dot(coefficients, solution) - value)
}

function activeSets(
  matrix: readonly (readonly number[])[],
  right: readonly number[],
  columns: number,
): readonly number[] {
  let solution: number[] = new Array<number>(columns).fill(0)
  const passive = new Set<number>()
  const tolerance = 1e-12 * (norm(right) || 1)
  for (let round = 0; round < 3 * columns; round++) {
    const entering = steepest(matrix, right, solution, passive, tolerance)
    if (entering === undefined) return solution
    passive.add(entering)
    let candidate = solveOn(matrix, right, passive, columns)
    // A column that only looked useful: numerically dependent on those already in.
    if ((candidate[entering] ?? 0) <= 0) {
      passive.delete(entering)
      return solution
    }
    while ([...passive].some((j) => (candidate[j] ?? 0) <= 0)) {
      solution = upToTheFirstZero(solution, candidate, passive)
      candidate = solveOn(matrix, right, passive, columns)
    }
    solution = candidate
  }
  return solution
}

/** The column outside the passive set along which the error falls fastest. */
function steepest(
  matrix: readonly (readonly number[])[],
  right: readonly number[],
  solution: readonly number[],
  passive: ReadonlySet<number>,
  tolerance: number,
): number | undefined {
  const gaps = matrix.map((row, i) => (right[i] ?? 0) - dot(row, solution))
  let best: number | undefined
  let most = tolerance
  for (let j = 0; j < solution.length; j++) {
    if (passive.has(j)) continue
    const gradient = matrix.reduce((sum, row, i) => sum + (row[j] ?? 0) * (gaps[i] ?? 0), 0)
    if (gradient > most) [best, most] = [j, gradient]
  }
  return best
}

/** As far towards the candidate as no coefficient turns negative; what arrives at zero leaves the set. */
function upToTheFirstZero(
  solution: readonly number[],
  candidate: readonly number[],
  passive: Set<number>,
): number[] {
  let step = 1
  for (const j of passive) {
    const from = solution[j] ?? 0
    const to = candidate[j] ?? 0
    if (to <= 0) step = Math.min(step, from - to > 0 ? from / (from - to) : 0)
  }
  const moved = solution.map((from, j) =>
    passive.has(j) ? from + step * ((candidate[j] ?? 0) - from) : from,
  )
  for (const j of [...passive]) {
    if ((candidate[j] ?? 0) <= 0 && (moved[j] ?? 0) <= 1e-14) {
      moved[j] = 0
      passive.delete(j)
    }
  }
  return moved
}

/** Least squares on the passive columns by modified Gram-Schmidt; 0 elsewhere and on dependent columns. */
function solveOn(
  matrix: readonly (readonly number[])[],
  right: readonly number[],
  passive: ReadonlySet<number>,
  columns: number,
): number[] {
  const chosen = [...passive].sort((one, other) => one - other)
  const basis: { readonly q: readonly number[]; readonly length: number }[] = []
  const upper: number[][] = []
  const projected: number[] = []
  let rest: readonly number[] = right
  for (const j of chosen) {
    let q: readonly number[] = matrix.map((row) => row[j] ?? 0)
    const above: number[] = []
    for (const earlier of basis) {
      const share = dot(earlier.q, q)
      above.push(share)
      q = q.map((each, i) => each - share * (earlier.q[i] ?? 0))
    }
    const length = norm(q)
    const unit = length > 1e-10 ? q.map((each) => each / length) : q.map(() => 0)
    basis.push({ q: unit, length })
    upper.push(above)
    const share = dot(unit, rest)
    projected.push(share)
    rest = rest.map((each, i) => each - share * (unit[i] ?? 0))
  }
  const solution = new Array<number>(columns).fill(0)
  for (let k = chosen.length - 1; k >= 0; k--) {
    let value = projected[k] ?? 0
    for (let later = k + 1; later < chosen.length; later++)
      value -= (upper[later]?.[k] ?? 0) * (solution[chosen[later] ?? 0] ?? 0)
    const length = basis[k]?.length ?? 0
    solution[chosen[k] ?? 0] = length > 1e-10 ? value / length : 0
  }
  return solution
}

function dot(one: readonly number[], other: readonly number[]): number {
  let sum = 0
  for (let i = 0; i < one.length; i++) sum += (one[i] ?? 0) * (other[i] ?? 0)
  return sum
}

function norm(values: readonly number[]): number {
  return Math.sqrt(dot(values, values))
}
