// In which parts the past is asked for: small enough that no answer is refused, or holds the event loop up while it is
// parsed, and the next one on its way while one is made use of.
import type { Observation } from '../core/observation.ts'
import type { PolicySet } from '../core/policy.ts'
import { instantsOf, partsOf, type Span } from '../core/span.ts'

export type PastSignals = 'all' | 'demand' | 'traffic'

/** Observations at each instant of a span: of everything, or of demand or traffic alone. */
export type ObservePast = (
  policies: PolicySet,
  span: Span,
  signals: PastSignals,
  signal: AbortSignal,
) => Promise<readonly Observation[]>

/** Points of an answer's series. Prometheus refuses above 11,000. */
const mostInstants = 1440
/** What all series of a part may hold together: an answer is parsed in one go, and histograms have ten series a variant. */
const mostInstantsTimesVariants = { demand: 10_000, traffic: 6000, all: 4000 }
const fewestInstants = 8

/** The observations of a span, oldest first. While a part is made use of, the next one is on its way. */
export async function* inParts(
  policies: PolicySet,
  span: Span,
  signals: PastSignals,
  observe: ObservePast,
  signal: AbortSignal,
): AsyncGenerator<readonly Observation[]> {
  const variants = policies.policies.reduce((sum, policy) => sum + policy.variants.length, 0)
  const fitting = Math.floor(mostInstantsTimesVariants[signals] / variants)
  const parts = partsOf(span, Math.max(fewestInstants, Math.min(mostInstants, fitting)))
  const ask = (part: Span | undefined) => {
    const asked = part === undefined ? undefined : observed(policies, part, signals, observe, signal)
    // It may fail before its turn, which is no failure yet.
    asked?.catch(() => undefined)
    return asked
  }
  let next = ask(parts[0])
  for (let index = 1; next !== undefined; index += 1) {
    const part = await next
    next = ask(parts[index])
    yield part
  }
}

/** A part that is refused as too large is asked for in smaller ones. */
async function observed(
  policies: PolicySet,
  part: Span,
  signals: PastSignals,
  observe: ObservePast,
  signal: AbortSignal,
): Promise<readonly Observation[]> {
  const count = instantsOf(part).length
  try {
    return await observe(policies, part, signals, signal)
  } catch (error) {
    if (signal.aborted || count <= fewestInstants) throw error
    const smaller: Observation[] = []
    for (const piece of partsOf(part, Math.max(fewestInstants, Math.ceil(count / 8)))) {
      smaller.push(...(await observed(policies, piece, signals, observe, signal)))
    }
    return smaller
  }
}
