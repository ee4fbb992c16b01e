// One vLLM replica, iteration by iteration: decodes first (one token each), then the prompt that is partly
// prefilled, then waiting prompts first come, first served, in chunks, within the token budget, max_num_seqs
// and the KV cache; when the cache overflows the newest sequence is preempted and computed again.
//
// An iteration costs the same however many sequences run: all of them get their token at once, so that one
// gap, counted n times, stands for all, and whole sums of KV tokens are kept instead of one per sequence.
import type { Role } from '../core/policy.ts'
import type { Profile } from '../core/profile.ts'
import { type IterationLaw, iterationLaw, iterationSeconds, slowed } from './iterationLaw.ts'
import { PriorityQueue } from './priorityQueue.ts'
import type { Completion, Request } from './request.ts'
import { FinishRing, Sequence } from './sequence.ts'

export interface ReplicaSettings {
  readonly profile: Profile
  /** `prefill` replicas produce one token; `decode` replicas receive prompts with their KV. */
  readonly role: Role
  /** At most `maxNumBatchedTokens`. */
  readonly maxNumSeqs: number
  readonly maxNumBatchedTokens: number
  readonly kvTokens: number
  /** By class index: a longer gap between two tokens counts as slow. */
  readonly slowGapSeconds: readonly number[]
  /** By class index: 0 is admitted first. Absent: first come, first served. */
  readonly priorities?: readonly number[]
}

/** What a replica tells as it happens, in order of time. */
export interface ReplicaObserver {
  /** An iteration ended: each of `decodes` sequences got a token `gapSeconds` after its last one. */
  iteration(decodes: number, promptTokens: number, gapSeconds: number): void
  /** `sequence` is known up to its first token. */
  firstToken(sequence: Completion): void
  preempted(): void
  /** A preempted sequence got its next token, that long after its last one. */
  resumed(gapSeconds: number): void
  finished(completion: Completion): void
}

export class Replica {
  private readonly settings: ReplicaSettings
  private law: IterationLaw
  private readonly observer: ReplicaObserver
  private readonly queue = new PriorityQueue<Sequence>()
  private ring = new FinishRing()
  /** In order of admission, the newest last; swept of what no longer runs now and then. */
  private admitted: Sequence[] = []
  private partial: Sequence | undefined = undefined
  /** Those whose prompt is complete with the iteration under way. */
  private completing: Sequence[] = []
  /** By class index: iterations so far with a slow gap. */
  private readonly slowSteps: Float64Array
  private step = 0
  private stepping = false
  private stepPromptTokens = 0
  private stepStartSeconds: number
  /** When the iteration under way ends; with none under way, from when on the engine is free. */
  private stepEndSeconds: number
  private decodes = 0
  /** KV tokens of the decoding sequences, and of all that were admitted. */
  private decodedKv = 0
  private reservedKv = 0

  constructor(settings: ReplicaSettings, observer: ReplicaObserver, startSeconds: number) {
    const { maxNumSeqs, maxNumBatchedTokens } = settings
    if (maxNumSeqs > maxNumBatchedTokens) {
      throw new RangeError(
        `maxNumSeqs must be at most ${maxNumBatchedTokens} (maxNumBatchedTokens): got ${maxNumSeqs}`,
      )
    }
    this.settings = settings
    this.law = iterationLaw(settings.profile)
    this.observer = observer
    this.slowSteps = new Float64Array(settings.slowGapSeconds.length)
    this.stepStartSeconds = startSeconds
    this.stepEndSeconds = startSeconds
  }

  get running(): number {
    return this.decodes + this.completing.length + (this.partial === undefined ? 0 : 1)
  }

  get waiting(): number {
    return this.queue.length
  }

  get inSystem(): number {
    return this.running + this.queue.length
  }

  /** 0..1 */
  get kvUsage(): number {
    return this.reservedKv / this.settings.kvTokens
  }

  /** From the next iteration on everything takes so many times as long. */
  slowDown(factor: number): void {
    this.law = slowed(this.law, factor)
  }

  /** Takes a request, at a time to which the replica has been advanced. */
  submit(request: Request, atSeconds: number): void {
    const sequence = new Sequence(request, atSeconds, this.settings.role, this.settings.kvTokens)
    if (sequence.reason === 'error') {
      this.observer.finished(sequence)
      return
    }
    if (this.inSystem === 0) this.stepEndSeconds = Math.max(this.stepEndSeconds, atSeconds)
    this.queue.push(sequence, this.priorityOf(request))
  }

  /** Runs all iterations that end by then. One that begins at that very instant is left to wait for arrivals. */
  advance(untilSeconds: number): void {
    for (;;) {
      if (this.stepping) {
        if (this.stepEndSeconds > untilSeconds) return
        this.finishStep()
      }
      if (this.stepEndSeconds >= untilSeconds || this.inSystem === 0) return
      this.beginStep()
    }
  }

  /** A crash: what ran and waited is handed back, and the replica is empty and idle. */
  abandon(): Request[] {
    const lost = [...this.admitted.filter((sequence) => sequence.running), ...this.queue.takeAll()]
    this.ring = new FinishRing()
    this.admitted = []
    this.completing = []
    this.partial = undefined
    this.decodes = 0
    this.decodedKv = 0
    this.reservedKv = 0
    this.stepping = false
    return lost.map((sequence) => sequence.request)
  }

  private beginStep(): void {
    const preempted = this.makeRoom()
    this.reservedKv += this.decodes
    this.decodedKv += this.decodes
    this.stepStartSeconds = this.stepEndSeconds
    this.stepPromptTokens = 0
    let budget = this.settings.maxNumBatchedTokens - this.decodes
    let squares = 0
    let joining = 0
    let joiningKv = 0
    let sequence = this.partial ?? (preempted ? undefined : this.admit(budget))
    while (sequence !== undefined) {
      if (this.settings.role === 'decode' && sequence.generated === 0) {
        // The KV came with the request: its first token costs what any decode costs.
        joining++
        joiningKv += sequence.prefillTokens
        budget--
        sequence.prefilled = sequence.prefillTokens
      } else {
        const from = sequence.prefilled
        const to = Math.min(sequence.prefillTokens, from + budget)
        this.stepPromptTokens += to - from
        squares += to * to - from * from
        budget -= to - from
        sequence.prefilled = to
      }
      const complete = sequence.prefilled === sequence.prefillTokens
      this.partial = complete ? undefined : sequence
      if (complete) this.completing.push(sequence)
      sequence = complete && !preempted ? this.admit(budget) : undefined
    }
    this.stepEndSeconds += iterationSeconds(
      this.law,
      this.decodes + joining,
      this.decodedKv + joiningKv,
      this.stepPromptTokens,
      squares,
    )
    this.stepping = true
  }

  /** The next waiting sequence, where budget, slots and cache have room for it. */
  private admit(budget: number): Sequence | undefined {
    const sequence = this.queue.peek()
    if (sequence === undefined || budget <= 0 || this.running >= this.settings.maxNumSeqs) return undefined
    if (this.reservedKv + sequence.prefillTokens > this.settings.kvTokens) return undefined
    this.queue.shift()
    this.reservedKv += sequence.prefillTokens
    sequence.running = true
    if (sequence.generated === 0) sequence.scheduledAtSeconds = this.stepStartSeconds
    this.admitted.push(sequence)
    if (this.admitted.length > 2 * this.running + 64) {
      this.admitted = this.admitted.filter((other) => other.running)
    }
    return sequence
  }

  /** Every decode is about to take one more token of KV. Returns whether something had to go for that. */
  private makeRoom(): boolean {
    let preempted = false
    while (this.reservedKv + this.decodes > this.settings.kvTokens) {
      const newest = this.admitted.pop()
      if (newest === undefined) break
      if (!newest.running) continue
      this.preempt(newest)
      preempted = true
    }
    return preempted
  }

  private preempt(sequence: Sequence): void {
    if (sequence === this.partial) {
      this.partial = undefined
      this.reservedKv -= sequence.prefillTokens
    } else {
      this.ring.remove(sequence)
      sequence.generated = sequence.outputTokens - (sequence.lastStep - this.step + 1)
      this.decodes--
      this.decodedKv -= sequence.heldTokens
      this.reservedKv -= sequence.heldTokens
      sequence.slowGaps += this.slowStepsOf(sequence)
      sequence.lastTokenAtSeconds = this.stepEndSeconds
      sequence.prefillTokens = sequence.request.promptTokens + sequence.generated
    }
    sequence.prefilled = sequence.request.cachedTokens
    sequence.running = false
    this.queue.pushFront(sequence, this.priorityOf(sequence.request))
    this.observer.preempted()
  }

  private finishStep(): void {
    this.stepping = false
    const gapSeconds = this.stepEndSeconds - this.stepStartSeconds
    this.observer.iteration(this.decodes, this.stepPromptTokens, gapSeconds)
    const bounds = this.settings.slowGapSeconds
    for (let i = 0; i < bounds.length; i++) {
      if (gapSeconds > (bounds[i] ?? Infinity)) this.slowSteps[i] = (this.slowSteps[i] ?? 0) + 1
    }
    let sequence = this.ring.take(this.step)
    while (sequence !== undefined) {
      const next: Sequence | undefined = sequence.next
      sequence.generated = sequence.outputTokens
      this.decodes--
      this.decodedKv -= sequence.heldTokens
      this.finish(sequence)
      sequence = next
    }
    if (this.completing.length > 0) {
      const completing = this.completing
      this.completing = []
      for (const sequence of completing) this.promptDone(sequence)
    }
    this.step++
  }

  /** The prompt is in the cache, and the token that follows it is out. */
  private promptDone(sequence: Sequence): void {
    if (sequence.generated === 0) {
      sequence.firstTokenAtSeconds = this.stepEndSeconds
      this.observer.firstToken(sequence)
    } else {
      const gapSeconds = this.stepEndSeconds - sequence.lastTokenAtSeconds
      if (gapSeconds > (this.settings.slowGapSeconds[sequence.request.classIndex] ?? Infinity))
        sequence.slowGaps++
      this.observer.resumed(gapSeconds)
    }
    sequence.generated++
    sequence.slowGaps -= this.slowStepsOf(sequence)
    if (sequence.generated === sequence.outputTokens) {
      this.finish(sequence)
      return
    }
    this.decodes++
    this.decodedKv += sequence.heldTokens
    this.ring.add(sequence, this.step, this.step + sequence.outputTokens - sequence.generated)
  }

  private finish(sequence: Sequence): void {
    sequence.running = false
    sequence.slowGaps += this.slowStepsOf(sequence)
    sequence.finishedAtSeconds = this.stepEndSeconds
    this.reservedKv -= sequence.heldTokens
    this.observer.finished(sequence)
  }

  private priorityOf({ classIndex }: Request): number {
    return this.settings.priorities?.[classIndex] ?? 0
  }

  private slowStepsOf(sequence: Sequence): number {
    return this.slowSteps[sequence.request.classIndex] ?? 0
  }
}
