// Which requests end when: one ends when as many tokens have passed since it began as its answer has. Long answers end
// later, so that what ends now began at different times, and if more began at one of them, more of that length end.

/** Steps that are kept at least: answers that take longer are taken to have begun with the oldest of them. */
const keptSteps = 2048

export class TokenClock {
  private readonly lengths: readonly number[]
  /** Tokens that passed, and requests of each class that had begun, by the end of each step. */
  private tokens: number[] = [0]
  private begun: number[][]
  /** By length: the last step that ended before what ends now began, and by class how many had begun then. */
  private readonly steps: Int32Array
  private readonly ended: readonly Float64Array[]
  private readonly ending: readonly Float64Array[]

  /** `lengths` in output tokens, of the answers that are told apart. */
  constructor(classes: number, lengths: readonly number[]) {
    this.lengths = lengths
    this.begun = Array.from({ length: classes }, () => [0])
    this.steps = new Int32Array(lengths.length)
    this.ended = Array.from({ length: classes }, () => new Float64Array(lengths.length))
    this.ending = this.ended.map((each) => each.slice())
  }

  /**
   * Over a step in which so many tokens came of each answer and so many requests of each class began: by class and length,
   * how many of them began that would end in it if all had that length. The arrays are the same ones at every step.
   */
  pass(tokens: number, begun: Float64Array): readonly Float64Array[] {
    const now = (this.tokens.at(-1) ?? 0) + tokens
    this.tokens.push(now)
    for (const [index, sums] of this.begun.entries()) sums.push((sums.at(-1) ?? 0) + (begun[index] ?? 0))
    for (const [at, length] of this.lengths.entries()) {
      const began = now - length
      let step = this.steps[at] ?? 0
      while ((this.tokens[step + 1] ?? Infinity) <= began) step++
      this.steps[at] = step
      const [from, to] = [this.tokens[step] ?? 0, this.tokens[step + 1] ?? Infinity]
      const share = Math.min(1, Math.max(0, (began - from) / (to - from)))
      for (const [index, sums] of this.begun.entries()) {
        const [low, high] = [sums[step] ?? 0, sums[step + 1] ?? 0]
        const by = low + share * (high - low)
        const [ended, ends] = [this.ended[index] as Float64Array, this.ending[index] as Float64Array]
        ends[at] = by - (ended[at] ?? 0)
        ended[at] = by
      }
    }
    this.forget()
    return this.ending
  }

  private forget(): void {
    if (this.tokens.length < 2 * keptSteps) return
    this.tokens = this.tokens.slice(-keptSteps)
    const dropped = 2 * keptSteps - keptSteps
    this.begun = this.begun.map((sums) => sums.slice(-keptSteps))
    for (const [at, step] of this.steps.entries()) this.steps[at] = Math.max(0, step - dropped)
  }
}
