// A request inside the engine, and the ring that knows after which iteration each sequence ends: decoding
// sequences all advance by one token per iteration, so the end of each is known when it starts to decode.
import type { Role } from '../core/policy.ts'
import type { Completion, FinishedReason, Request } from './request.ts'

export class Sequence implements Completion {
  readonly request: Request
  readonly submittedAtSeconds: number
  readonly reason: FinishedReason
  readonly outputTokens: number
  scheduledAtSeconds: number
  firstTokenAtSeconds: number
  finishedAtSeconds: number
  /** While it decodes: less the slow iterations that came before it. */
  slowGaps = 0
  running = false
  /** Tokens that the cache must hold before the next token comes out: the prompt, and after a preemption what was generated. */
  prefillTokens: number
  prefilled: number
  generated = 0
  lastTokenAtSeconds = 0
  /** The iteration with which it ends; meaningful while it hangs in a ring. */
  lastStep = 0
  previous: Sequence | undefined = undefined
  next: Sequence | undefined = undefined

  constructor(request: Request, atSeconds: number, role: Role, kvTokens: number) {
    const wanted = role === 'prefill' ? 1 : request.outputTokens
    // The last token is never read again and needs no room.
    const fitting = Math.max(0, kvTokens - request.promptTokens + 1)
    this.request = request
    this.submittedAtSeconds = atSeconds
    this.outputTokens = Math.min(wanted, fitting)
    this.reason = fitting === 0 ? 'error' : fitting < wanted ? 'length' : 'stop'
    this.scheduledAtSeconds = atSeconds
    this.firstTokenAtSeconds = atSeconds
    this.finishedAtSeconds = atSeconds
    this.prefillTokens = request.promptTokens
    this.prefilled = request.cachedTokens
  }

  /** KV tokens that it holds between two iterations. */
  get heldTokens(): number {
    return this.request.promptTokens + this.generated - 1
  }
}

/** Doubly linked lists of sequences, one per coming iteration: adding, removing and taking cost O(1) each. */
export class FinishRing {
  /** List heads at the index of the iteration modulo the length, a power of two. */
  private heads: (Sequence | undefined)[] = emptyHeads(1024)

  /** `sequence` ends with iteration `lastStep`, which is `step` or later. */
  add(sequence: Sequence, step: number, lastStep: number): void {
    while (lastStep - step >= this.heads.length) this.grow()
    sequence.lastStep = lastStep
    this.link(sequence)
  }

  remove(sequence: Sequence): void {
    const { previous, next } = sequence
    if (next !== undefined) next.previous = previous
    if (previous !== undefined) previous.next = next
    else this.heads[sequence.lastStep & (this.heads.length - 1)] = next
  }

  /** The first of those that end with this iteration, linked by `next`; the list is forgotten. */
  take(step: number): Sequence | undefined {
    const slot = step & (this.heads.length - 1)
    const first = this.heads[slot]
    if (first !== undefined) this.heads[slot] = undefined
    return first
  }

  private link(sequence: Sequence): void {
    const slot = sequence.lastStep & (this.heads.length - 1)
    const first = this.heads[slot]
    sequence.previous = undefined
    sequence.next = first
    if (first !== undefined) first.previous = sequence
    this.heads[slot] = sequence
  }

  private grow(): void {
    const old = this.heads
    this.heads = emptyHeads(old.length * 2)
    for (const head of old) {
      for (let sequence = head; sequence !== undefined; ) {
        const next: Sequence | undefined = sequence.next
        this.link(sequence)
        sequence = next
      }
    }
  }
}

function emptyHeads(length: number): (Sequence | undefined)[] {
  return new Array<Sequence | undefined>(length).fill(undefined)
}
