// A memory that learns by recursion, made an exact function of a bounded window. Means that decay never forget
// entirely, so no window of inputs rebuilds them bit for bit, and a restarted server would answer a little
// differently for days. Here a memory is born empty at each anchor, a multiple of the generation's length since the
// epoch, and two live at a time: the old one, born one generation earlier, is read; the young one is warmed beside it.
// At the next anchor old := young. The state at t is what follows from the inputs since anchor(t) - one generation,
// and nothing else: whoever has entered those has this state.

export interface Generations<M> {
  /** When the young one's generation began, in seconds since the epoch. */
  readonly anchor: number
  readonly young: M
  /** Absent while nothing was entered in the generation before: then the young one has seen all there is. */
  readonly old?: M
}

/** Enters one input into both; unchanged where it belongs to a generation that is over. */
export function enterInto<M>(
  generations: Generations<M> | undefined,
  at: number,
  generationSeconds: number,
  enter: (memory: M | undefined) => M,
): Generations<M> {
  const anchor = Math.floor(at / generationSeconds) * generationSeconds
  if (generations === undefined) return { anchor, young: enter(undefined) }
  if (anchor < generations.anchor) return generations
  if (anchor === generations.anchor) {
    const { young, old } = generations
    return { anchor, young: enter(young), ...(old === undefined ? {} : { old: enter(old) }) }
  }
  const born = { anchor, young: enter(undefined) }
  return anchor === generations.anchor + generationSeconds ? { ...born, old: enter(generations.young) } : born
}

/** The one that is read: between one and two generations old, where there were inputs that long. */
export function elder<M>({ old, young }: Generations<M>): M {
  return old ?? young
}

/** When the first input was due that the state at `at` depends on. */
export function windowBegin(at: number, generationSeconds: number): number {
  return (Math.floor(at / generationSeconds) - 1) * generationSeconds
}
