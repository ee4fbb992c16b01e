// The engines of one variant of the fluid plant together: requests that wait for their prompt, requests that decode,
// and what a step of time does to them under the iteration law. Formulas: docs/MODEL.md, "The fluid plant".
import { decodeStep, prefillSurcharge } from '../../core/capacity/iteration.ts'
import type { Workload } from '../../core/capacity/lengths.ts'
import type { SiteVariant } from '../site.ts'
import { metOnArrival, metWhileRunning } from './emptyReplicas.ts'
import { type LatencyTable, type Mix, meanSeconds } from './latencyTable.ts'
import { type Share, Tables } from './mixedShape.ts'

/** What latencies inside a step rest on: the load lately, not of a few seconds by chance. */
const smoothingSeconds = 10

/** What a step did, for one variant. */
export interface Served {
  /** By class: prompts that got their first token, and answers that are complete. */
  readonly begun: Float64Array
  readonly completed: Float64Array
  /** How long what arrived in this step waits before its turn comes; 0 unless more arrives than can be begun. */
  readonly waitSeconds: number
  /** Latencies at the load of arrivals, and at what runs. */
  readonly arriving: Mix
  readonly running: Mix
  /** Gaps between tokens in this step, all classes together, and tokens of each answer. */
  readonly gaps: number
  readonly tokensEach: number
}

interface Flow {
  readonly stepMs: number
  readonly remain: number
  readonly settled: number
  readonly after: number
}

export class Engines {
  /** By class, over all replicas. */
  readonly waiting: Float64Array
  readonly decoding: Float64Array
  private readonly variant: SiteVariant
  private readonly tables: Tables
  private arrivalsPerSecond = 0
  private runningEach = 0
  private table: LatencyTable | undefined = undefined
  private stepMs = 0

  constructor(variant: SiteVariant, classes: number, bounds: readonly number[]) {
    this.variant = variant
    this.waiting = new Float64Array(classes)
    this.decoding = new Float64Array(classes)
    this.tables = new Tables(variant, bounds)
  }

  get inSystem(): number {
    return sum(this.waiting) + sum(this.decoding)
  }

  get kvTokens(): number {
    return sum(this.decoding) * (this.table?.work.m ?? 0)
  }

  /** Of what runs now, the share that is still there after so many seconds. */
  remaining(seconds: number): number {
    const stay = this.staySeconds
    return stay > 0 ? Math.exp(-seconds / stay) : 0
  }

  get staySeconds(): number {
    return (this.stepMs * Math.max(1, this.table?.work.dec ?? 1)) / 1000
  }

  /** Everything in it, by class, taken out: the engines are gone. `share` of it where some remain. */
  lose(share: number): Float64Array {
    const lost = this.waiting.map((waiting, i) => share * (waiting + (this.decoding[i] ?? 0)))
    for (let i = 0; i < lost.length; i++) {
      this.waiting[i] = (this.waiting[i] ?? 0) * (1 - share)
      this.decoding[i] = (this.decoding[i] ?? 0) * (1 - share)
    }
    return lost
  }

  /** `shares`: the lengths of what has arrived, by class; `replicas`: those that work, above 0;
   * `pooled`: those among which the router chooses. */
  step(
    arriving: Float64Array,
    shares: readonly Share[],
    replicas: number,
    pooled: number,
    seconds: number,
  ): Served {
    const table = this.tables.of(shares)
    this.table = table
    const { work } = table
    const arrived = sum(arriving)
    const load = arrived / seconds
    const weight = 1 - Math.exp(-seconds / smoothingSeconds)
    this.arrivalsPerSecond += weight * (load - this.arrivalsPerSecond)
    const before = sum(this.waiting)
    const begun = this.begin(arriving, work, replicas, seconds, table.saturation)
    const began = sum(begun)
    const left = before + arrived - began
    const completed = this.complete(begun, work, replicas, seconds)
    const runningNow = sum(this.decoding) / replicas
    const slow = 1 - Math.exp(-seconds / Math.max(seconds, this.staySeconds))
    this.runningEach += slow * (runningNow - this.runningEach)
    const tokensEach = this.stepMs > 0 ? (seconds * 1000) / this.stepMs : 0
    const lasting = this.equivalentLoad(work, table)
    const rate = this.arrivalsPerSecond / replicas
    const inSystem = this.runningEach + (rate / 1000) * work.e1
    return {
      begun,
      completed,
      waitSeconds: left > 1e-9 && began > 0 ? ((before + left) / 2 / began) * seconds : 0,
      arriving: table.arriving(rate * metOnArrival(inSystem, pooled), lasting, pooled),
      running: table.running(lasting * metWhileRunning(inSystem, pooled), pooled),
      gaps: runningNow * replicas * tokensEach,
      tokensEach,
    }
  }

  /** First come, first served over the classes; as many as prompts, slots and cache have room for. */
  private begin(
    arriving: Float64Array,
    work: Workload,
    replicas: number,
    seconds: number,
    saturation: number,
  ): Float64Array {
    const { waiting, decoding } = this
    for (let i = 0; i < waiting.length; i++) waiting[i] = (waiting[i] ?? 0) + (arriving[i] ?? 0)
    const queued = sum(waiting)
    const most = this.mostBegun(queued, sum(decoding) / replicas, work, replicas, seconds, saturation)
    const share = queued > 0 ? Math.min(1, most / queued) : 0
    const begun = waiting.map((waits) => waits * share)
    for (let i = 0; i < waiting.length; i++) waiting[i] = (waiting[i] ?? 0) - (begun[i] ?? 0)
    return begun
  }

  /** Of so many waiting prompts: in all, within the step. */
  private mostBegun(
    queued: number,
    running: number,
    work: Workload,
    replicas: number,
    seconds: number,
    saturation: number,
  ): number {
    if (this.variant.role === 'prefill') return saturation * replicas * seconds
    const prompts =
      this.variant.role === 'unified'
        ? Math.min(queued, this.promptsPerMs(work, running) * 1000 * replicas * seconds)
        : queued
    const slots = this.slots(work)
    const fits = (begun: number): boolean =>
      this.flow(work, running, begun / replicas, seconds).after <= slots
    if (fits(prompts)) return prompts
    // A slot that is left within the step is taken again within it, and more prompts make every stay longer.
    let [low, high] = [0, prompts]
    for (let i = 0; i < 20; i++) {
      const middle = (low + high) / 2
      if (fits(middle)) low = middle
      else high = middle
    }
    return low
  }

  /** Sequences that one replica runs at once: planning keeps a reserve of the cache (work.N), the engine does not. */
  private slots(work: Workload): number {
    return Math.max(1, Math.min(this.variant.maxNumSeqs, this.variant.kvTokens / work.m))
  }

  /** Prompts that one replica can begin with `running` decodes beside them: steps filled to their token budget. */
  private promptsPerMs(work: Workload, running: number): number {
    const { profile, maxNumBatchedTokens } = this.variant
    const step =
      decodeStep(profile, running, running * work.m) + prefillSurcharge(profile, running, work.touch)
    const room = Math.max(1, maxNumBatchedTokens - running)
    return 1 / (work.e1 + (step * work.promptTokens) / room)
  }

  private complete(begun: Float64Array, work: Workload, replicas: number, seconds: number): Float64Array {
    if (this.variant.role === 'prefill') return begun
    const { decoding } = this
    const { stepMs, remain, settled } = this.flow(
      work,
      sum(decoding) / replicas,
      sum(begun) / replicas,
      seconds,
    )
    this.stepMs = stepMs
    return decoding.map((running, i) => {
      const entered = begun[i] ?? 0
      const next = running * remain + entered * settled
      decoding[i] = next
      return Math.max(0, running + entered - next)
    })
  }

  /** One replica over the step: which share of what runs remains, which of what begins, and what runs after. */
  private flow(work: Workload, running: number, begun: number, seconds: number): Flow {
    const lambda = begun / (seconds * 1000)
    const over = (stepMs: number): Flow => {
      const stay = (stepMs * Math.max(1, work.dec)) / 1000
      const remain = Math.exp(-seconds / stay)
      const settled = (stay / seconds) * (1 - remain)
      return { stepMs, remain, settled, after: running * remain + begun * settled }
    }
    // Once more at the middle of the step: a burst slows down the very steps that it is served in.
    const { after } = over(this.cycleMs(work, running, lambda))
    return over(this.cycleMs(work, (running + after) / 2, lambda))
  }

  /** Mean step with `running` decodes and `lambda` prompts per ms: EC = (S + dl P(some prompt)) / (1 - lambda e1). */
  private cycleMs(work: Workload, running: number, lambda: number): number {
    const { profile } = this.variant
    const S = decodeStep(profile, Math.max(1, running), Math.max(1, running) * work.m)
    if (this.variant.role === 'decode') return S
    const rho = Math.min(0.95, lambda * work.e1)
    const dl = prefillSurcharge(profile, running, work.touch)
    const EC = (S + dl * (1 - Math.exp((-lambda * S) / (1 - rho)))) / (1 - rho)
    return EC
  }

  /** The rate under which so many would run all the time: what runs is what past arrivals left. */
  private equivalentLoad(work: Workload, table: LatencyTable): number {
    const running = this.runningEach
    if (this.variant.role === 'prefill') return 0
    let low = 0
    let high = table.saturation
    for (let i = 0; i < 14; i++) {
      const middle = (low + high) / 2
      const lambda = middle / 1000
      if (lambda * Math.max(1, work.dec) * this.cycleMs(work, running, lambda) < running) low = middle
      else high = middle
    }
    return low
  }

  /** Seconds from the hand-over of a prompt to its first token here, on average. */
  handOverSeconds(served: Served): number {
    return this.variant.role === 'decode' ? meanSeconds(served.arriving, 'ttft') : 0
  }
}

export function sum(values: Float64Array): number {
  let total = 0
  for (let i = 0; i < values.length; i++) total += values[i] ?? 0
  return total
}
