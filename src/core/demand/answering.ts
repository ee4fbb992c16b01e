// How many requests are being answered, how many have ended, and how fast they get tokens: read at every tick, and remembered
// for as long as the longest answers take.
import type { Observation } from '../observation.ts'
import { serves, type TrafficClass, type Variant, type VariantId } from '../policy.ts'
import { isMissing } from '../reading.ts'

export interface Answering {
  readonly at: number
  /** Those whose engines these are: with others, counts do not compare. */
  readonly variants: readonly VariantId[]
  /** At this instant. */
  readonly running: number
  readonly completionsPerSecond: number
  /** Output tokens, of all of them. */
  readonly tokensPerSecond: number
}

/** The window that lengths are read over, and ten minutes that the longest answers in it may have taken. */
const reachSeconds = 900

/** Of the engines that answer the class; undefined where they cannot be read, or answer nobody. */
export function answeringAt(
  trafficClass: TrafficClass,
  seen: readonly Variant[],
  { at, variants }: Observation,
): Answering | undefined {
  const exits = seen.filter((variant) => variant.role !== 'prefill' && serves(variant, trafficClass))
  let [running, ended, tokens] = [0, 0, 0]
  for (const { id } of exits) {
    const signals = variants[id]
    if (signals === undefined) return undefined
    const { generationTokensPerSecond, completionsPerSecond } = signals
    // Of a variant without replicas nothing is read, and nothing runs.
    if (!isMissing(signals.replicas) && signals.replicas.ready === 0) continue
    if (isMissing(signals.running)) return undefined
    if (isMissing(generationTokensPerSecond) || isMissing(completionsPerSecond)) return undefined
    running += signals.running
    ended += completionsPerSecond
    tokens += generationTokensPerSecond
  }
  if (!(tokens > 0)) return undefined
  return {
    ...{ at, variants: exits.map(({ id }) => id), running },
    ...{ completionsPerSecond: ended, tokensPerSecond: tokens },
  }
}

/** The last minutes with one more reading, where there is one. */
export function enterAnswering(
  known: readonly Answering[],
  now: Answering | undefined,
): readonly Answering[] {
  if (now === undefined) return known
  const same = now.variants.join()
  const kept = known.filter(
    ({ at, variants }) => at < now.at && at > now.at - reachSeconds && variants.join() === same,
  )
  return [...kept, now]
}
