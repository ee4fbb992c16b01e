// How many requests are in a replica: a birth-death chain over k, tempered by zeta because arrivals also stall
// the decodes, which makes k more variable than independent arrivals would. Summed in logarithms: with 256 slots
// the plain products reach 10^200. Modelling notes, section 1 (3).
import { type Cycle, cycle, type Station } from './cycle.ts'

/**
 * How arrivals stall decodes: by the replica's mean load (`global`: accurate for first tokens, and for single gaps), or
 * by the load of each state (`local`: more pessimistic; for short answers the only one on the safe side of the gaps).
 */
export type Tempering = 'global' | 'local'

/** States around k together: what a request finds that comes while they hold. */
export interface ChainNode {
  readonly k: number
  /** Of the k, those that decode. */
  readonly n: number
  readonly probability: number
  /** Every slot is taken: a request that comes now waits for one. */
  readonly waits: boolean
}

export interface Chain {
  /** Ascending in k; k = 0, k = 1 and k >= N stand alone. */
  readonly nodes: readonly ChainNode[]
  /** Requests that find every slot taken: their share, and the rate per ms at which their further wait ends. */
  readonly waiting: { readonly probability: number; readonly rate: number }
  /** Requests in the system, on average. */
  readonly meanK: number
}

/** The state k of a unified replica, before it is known how arrivals stall it. */
export interface Stage {
  readonly k: number
  readonly mu: number
  readonly cycle: Cycle
}

/** The state k: n of its requests decode, and it completes mu per ms. */
interface Rung {
  readonly k: number
  readonly n: number
  readonly mu: number
  readonly zeta: number
}

/** Undefined where the slots cannot keep up with the arrivals, which is the same for both temperings. */
export function chain(
  station: Station,
  stages: readonly Stage[],
  tempering: Tempering,
  groups: number,
): Chain | undefined {
  const ladder = stages.map(({ k, mu, cycle }) => ({
    k,
    n: cycle.n,
    mu,
    zeta: zeta(station, tempering, cycle),
  }))
  return solve(ladder, station.lambda, groups)
}

/** The chain over these rungs, all arrivals coming at rate lambda. Undefined where they outrun the last rung. */
export function solve(ladder: readonly Rung[], lambda: number, groups: number): Chain | undefined {
  const last = ladder.at(-1)
  if (last === undefined || !(lambda < last.mu)) return undefined
  const { n, mass } = spread(ladder, lambda)
  const q = (lambda / last.mu) ** (1 / last.zeta)
  const tail = (mass[last.k] ?? 0) / (1 - q)
  let total = tail
  let held = tail * (last.k + q / (1 - q))
  for (let k = 0; k < last.k; k++) {
    total += mass[k] ?? 0
    held += k * (mass[k] ?? 0)
  }
  const running = grouped(n, mass.subarray(0, last.k), groups).map((group) => ({ ...group, waits: false }))
  const nodes = [...running, { k: last.k, n: last.n, mass: tail, waits: true }]
    .filter((node) => node.mass > 1e-12 * total)
    .map(({ mass: weight, ...node }) => ({ ...node, probability: weight / total }))
  return {
    nodes,
    waiting: { probability: tail / total, rate: last.mu * (1 - q) },
    meanK: held / total,
  }
}

/** What arrivals that the slots cannot keep up with make of it for a while: all taken, and a wait as long as a stay. */
export function outrun(stages: readonly Stage[]): Chain {
  const { k, mu, cycle } = stages.at(-1) as Stage
  const nodes = [{ k, n: cycle.n, probability: 1, waits: true }]
  return { nodes, waiting: { probability: 1, rate: mu / k }, meanK: k }
}

/** The states at which the chain is evaluated: all small ones, then every eighth part further; between them, a line. */
export function rungs(N: number): readonly number[] {
  const ks: number[] = []
  for (let k = 1; k < N; k = Math.max(k + 1, Math.floor(k * 1.125))) ks.push(k)
  ks.push(N)
  return ks
}

/** n(k) by three passes of n = k DC / (tau + DC): the share of its stay that a request decodes. */
export function stages(station: Station): readonly Stage[] {
  return rungs(station.slots).map((k) => {
    let at = cycle(station, 0.9 * k)
    for (let pass = 0; pass < 3; pass++) at = cycle(station, (k * at.DC) / (at.tau + at.DC), at)
    return { k, mu: k / (at.tau + at.DC), cycle: at }
  })
}

function zeta(
  { rho, I, sharing, work: { dec, e1, e2 } }: Station,
  tempering: Tempering,
  { n, S }: Cycle,
): number {
  const al = tempering === 'local' && dec > 0 ? Math.min(10, (e1 * n) / (dec * S)) : rho / (1 - rho)
  const spread = e1 > 0 ? e2 / (e1 * e1) - 1 : 0
  return 0.5 * (I * (1 + al) ** 2 + (1 + spread * al * al) / sharing)
}

/** By k = 0..N. */
interface States {
  readonly n: Float64Array
  /** pi(k), relative to the largest. */
  readonly mass: Float64Array
}

/** Interpolated between the rungs. */
function spread(ladder: readonly Rung[], lambda: number): States {
  const size = (ladder.at(-1)?.k ?? 0) + 1
  const n = new Float64Array(size)
  const logs = new Float64Array(size)
  let [log, highest] = [0, 0]
  let below: { readonly k: number; readonly n: number; readonly climb: number } | undefined
  for (const rung of ladder) {
    const here = { k: rung.k, n: rung.n, climb: Math.log(lambda / rung.mu) / rung.zeta }
    const from = below ?? here
    for (let k = Math.min(here.k, from.k + 1); k <= here.k; k++) {
      const part = here.k === from.k ? 1 : (k - from.k) / (here.k - from.k)
      log += from.climb + part * (here.climb - from.climb)
      n[k] = from.n + part * (here.n - from.n)
      logs[k] = log
      highest = Math.max(highest, log)
    }
    below = here
  }
  return { n, mass: logs.map((each) => Math.exp(each - highest)) }
}

interface Group {
  readonly k: number
  readonly n: number
  readonly mass: number
}

/** k = 0 and k = 1 alone, the others in groups of about equal mass, each at its mean. */
function grouped(n: Float64Array, mass: Float64Array, groups: number): readonly Group[] {
  const made: Group[] = []
  for (let k = 0; k < Math.min(2, mass.length); k++) made.push({ k, n: n[k] ?? 0, mass: mass[k] ?? 0 })
  let rest = 0
  for (let k = 2; k < mass.length; k++) rest += mass[k] ?? 0
  const share = rest / groups
  let [sum, sumK, sumN] = [0, 0, 0]
  for (let k = 2; k < mass.length; k++) {
    const here = mass[k] ?? 0
    sum += here
    sumK += k * here
    sumN += (n[k] ?? 0) * here
    if ((sum >= share || k === mass.length - 1) && sum > 0) {
      made.push({ k: sumK / sum, n: sumN / sum, mass: sum })
      ;[sum, sumK, sumN] = [0, 0, 0]
    }
  }
  return made
}
