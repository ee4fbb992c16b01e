// Branch and bound on javascript-lp-solver's tableau: depth first until a first plan is found, best bound
// first from then on, branching by pseudocosts, and around holes as around fractions. Stops after a count of nodes
// and always knows its bound.
import type { EngineLimits, Hole } from '../core/optimize/engine.ts'

type Package = typeof import('javascript-lp-solver')['default']
type Service = NonNullable<ConstructorParameters<Package['Model']>[2]>
type Tableau = Parameters<Service['branchAndCut']>[0]
type Cut = Parameters<Service['applyCuts']>[1][number]

interface Node {
  /** The objective of the parent's relaxation: nothing below this node is cheaper. */
  readonly bound: number
  readonly cuts: readonly Cut[]
  /** The step that led here, so that its effect on the bound can be learned. */
  readonly step?: { readonly variable: number; readonly direction: 'up' | 'down'; readonly distance: number }
}

export type SearchResult =
  | { readonly status: 'found'; readonly lowerBound: number }
  | { readonly status: 'exhausted' }
  | { readonly status: 'unbounded' }
  | { readonly status: 'stopped'; readonly nodes: number }

export interface Search {
  readonly service: Service
  readonly result: () => SearchResult
}

/** By variable, counted as the tableau counts: from the lower bound of its column. */
export type Holes = ReadonlyMap<number, readonly Hole[]>

export function searchTree(limits: EngineLimits, holes: Holes): Search {
  let result: SearchResult = { status: 'stopped', nodes: 0 }
  return {
    service: {
      applyCuts,
      branchAndCut: (tableau) => {
        result = search(tableau, limits, holes)
      },
    },
    result: () => result,
  }
}

function search(tableau: Tableau, limits: EngineLimits, holes: Holes): SearchResult {
  const pseudocosts = new Map<number, Pseudocost>()
  let open: Node[] = [{ bound: Number.NEGATIVE_INFINITY, cuts: [] }]
  let best: { readonly objective: number; readonly cuts: readonly Cut[] } | undefined
  let nodes = 0
  while (open.length > 0 && nodes < limits.maxNodes) {
    const node = best === undefined ? open.pop() : takeLowest(open)
    if (node === undefined) break
    nodes++
    if (nodes === 1) tableau.simplex()
    else applyCuts(tableau, node.cuts)
    if (!tableau.feasible) continue
    if (!tableau.bounded) return { status: 'unbounded' }
    if (nodes === 1) tableau.save()
    const objective = tableau.evaluation
    if (node.step !== undefined) learn(pseudocosts, node.step, objective - node.bound)
    if (best !== undefined && objective >= cutoff(best.objective, limits)) continue
    const branch = chooseBranch(tableau, pseudocosts, holes)
    if (branch === undefined) {
      best = { objective, cuts: node.cuts }
      const limit = cutoff(objective, limits)
      open = open.filter((other) => other.bound < limit)
      continue
    }
    open.push(child(node, objective, branch, 'down'), child(node, objective, branch, 'up'))
  }
  if (best === undefined) return open.length === 0 ? { status: 'exhausted' } : { status: 'stopped', nodes }
  applyCuts(tableau, best.cuts)
  const proven = cutoff(best.objective, limits)
  return { status: 'found', lowerBound: open.reduce((low, node) => Math.min(low, node.bound), proven) }
}

/** What is not cheaper than this is not worth looking at. */
function cutoff(objective: number, limits: EngineLimits): number {
  return objective - Math.max(limits.relativeGap * Math.abs(objective), 1e-9)
}

function applyCuts(tableau: Tableau, cuts: readonly Cut[]): void {
  tableau.restore()
  tableau.addCutConstraints([...cuts])
  tableau.simplex()
}

function takeLowest(open: Node[]): Node | undefined {
  let lowest = 0
  for (let i = 1; i < open.length; i++) {
    if ((open[i]?.bound ?? 0) < (open[lowest]?.bound ?? 0)) lowest = i
  }
  return open.splice(lowest, 1)[0]
}

interface Branch {
  readonly variable: number
  readonly value: number
  /** The counts on either side: next to a fraction, or at the edges of a hole. */
  readonly sides: Hole
}

function child(node: Node, bound: number, branch: Branch, direction: 'up' | 'down'): Node {
  const type = direction === 'up' ? 'min' : 'max'
  const value = direction === 'up' ? branch.sides.above : branch.sides.below
  const kept = node.cuts.filter((cut) => cut.varIndex !== branch.variable || cut.type !== type)
  const distance = Math.abs(value - branch.value)
  return {
    bound,
    cuts: [...kept, { type, varIndex: branch.variable, value }],
    step: { variable: branch.variable, direction, distance },
  }
}

interface Pseudocost {
  up: { sum: number; count: number }
  down: { sum: number; count: number }
}

function learn(
  pseudocosts: Map<number, Pseudocost>,
  step: NonNullable<Node['step']>,
  improvement: number,
): void {
  const known = pseudocosts.get(step.variable) ?? { up: { sum: 0, count: 0 }, down: { sum: 0, count: 0 } }
  known[step.direction].sum += Math.max(0, improvement) / step.distance
  known[step.direction].count++
  pseudocosts.set(step.variable, known)
}

/** The variable between two counts whose sides promise the largest product of changes. */
function chooseBranch(
  tableau: Tableau,
  pseudocosts: ReadonlyMap<number, Pseudocost>,
  holes: Holes,
): Branch | undefined {
  let best: Branch | undefined
  let bestScore = Number.NEGATIVE_INFINITY
  for (const variable of tableau.model?.integerVariables ?? []) {
    const row = tableau.rowByVarIndex[variable.index] ?? -1
    if (row === -1) continue
    const value = tableau.matrix[row * tableau.width + tableau.rhsColumn] ?? 0
    const sides = sidesOf(value, holes.get(variable.index) ?? [])
    if (sides === undefined) continue
    const known = pseudocosts.get(variable.index)
    const score = side(known?.up, sides.above - value) * side(known?.down, value - sides.below)
    if (score > bestScore) {
      bestScore = score
      best = { variable: variable.index, value, sides }
    }
  }
  return best
}

/** The nearest counts around a value; undefined where it is one itself. */
function sidesOf(value: number, holes: readonly Hole[]): Hole | undefined {
  const hole = holes.find(({ below, above }) => value > below + 1e-7 && value < above - 1e-7)
  if (hole !== undefined) return hole
  const isWhole = Math.abs(value - Math.round(value)) <= 1e-7
  return isWhole ? undefined : { below: Math.floor(value), above: Math.ceil(value) }
}

function side(known: Pseudocost['up'] | undefined, distance: number): number {
  const perUnit = known === undefined || known.count === 0 ? 1 : known.sum / known.count
  return Math.max(perUnit * distance, 1e-6)
}
