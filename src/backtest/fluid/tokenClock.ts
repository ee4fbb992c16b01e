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
    const { steps, begun: sums, ended, ending } = this
    const now = (this.tokens.at(-1) as number) + tokens
    this.tokens.push(now)
    for (let c = 0; c < sums.length; c++) {
      const own = sums[c] as number[]
      own.push((own[own.length - 1] as number) + (begun[c] as number))
    }
    const last = this.tokens.length - 1
    for (let i = 0; i < this.lengths.length; i++) {
      const began = now - (this.lengths[i] as number)
      let step = steps[i] as number
      while (step < last && (this.tokens[step + 1] as number) <= began) step++
      steps[i] = step
      const from = this.tokens[step] as number
      const to = step < last ? (this.tokens[step + 1] as number) : Number.POSITIVE_INFINITY
      const share = began > from ? Math.min(1, (began - from) / (to - from)) : 0
      for (let c = 0; c < sums.length; c++) {
        const own = sums[c] as number[]
        const low = own[step] as number
        const by = share > 0 ? low + share * ((own[step + 1] as number) - low) : low
        ;(ending[c] as Float64Array)[i] = by - ((ended[c] as Float64Array)[i] as number)
        ;(ended[c] as Float64Array)[i] = by
      }
    }
    this.forget()
    return this.ending
  }

  private forget(): void {
    if (this.tokens.length < 2 * keptSteps) return
    const dropped = this.tokens.length - keptSteps
    this.tokens = this.tokens.slice(-keptSteps)
    this.begun = this.begun.map((sums) => sums.slice(-keptSteps))
    for (const [at, step] of this.steps.entries()) this.steps[at] = Math.max(0, step - dropped)
  }
}
