// The port behind which solvers stand. A program is sparse arrays, never text: Kubernetes names contain
// characters that LP formats read as arithmetic. Limits are counts, so that a replay cannot disagree.

export interface LinearProgram {
  readonly columns: readonly Column[]
  readonly rows: readonly Row[]
}

/** A variable with its objective coefficient (the objective is minimized). `lower` is finite. */
export interface Column {
  readonly cost: number
  readonly lower: number
  readonly upper: number
  readonly integer: boolean
  /**
   * Whole numbers that may not be taken, in ascending order, within the bounds. Read on integer columns only: what is
   * relaxed is the hull, which is the bounds.
   */
  readonly holes?: readonly Hole[]
}

/** Nothing strictly between: `below` and `above` can be taken. */
export interface Hole {
  readonly below: number
  readonly above: number
}

/** lower <= sum of coefficient x column <= upper; infinite where one-sided. */
export interface Row {
  readonly lower: number
  readonly upper: number
  readonly entries: readonly Entry[]
}

export interface Entry {
  readonly column: number
  readonly coefficient: number
}

export interface EngineLimits {
  /** Stop when the best answer is within this share of the best bound. */
  readonly relativeGap: number
  /** Nodes of the search tree. */
  readonly maxNodes: number
}

export type EngineAnswer =
  /** `values[i]` belongs to `columns[i]`. Not to be trusted before it is checked. */
  | {
      readonly status: 'solved'
      readonly values: readonly number[]
      /** No feasible objective is below this, says the engine. */
      readonly lowerBound: number
      /** Change of the objective per unit of each row's active side; programs without integers only. */
      readonly rowPrices?: readonly number[]
    }
  | { readonly status: 'infeasible' }
  | { readonly status: 'failed'; readonly why: string }

export type Engine = (program: LinearProgram, limits: EngineLimits) => EngineAnswer

export interface Engines {
  /** For one model's own small program. */
  readonly small: Engine
  /** For large or coupled programs, and where the small one's answer fails its check. */
  readonly large: Engine
}
