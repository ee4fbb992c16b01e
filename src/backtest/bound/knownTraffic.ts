// What a clairvoyant knows of a plant's traffic: the same draws, step by step, without the noise of single arrivals where
// the traffic is made from rates (the capacity model accounts for that noise, and a fluid cannot be asked to serve it twice).
import type { LengthBin, Shape } from '../../core/capacity/question.ts'
import type { ScalingPolicy } from '../../core/policy.ts'
import type { SiteClass } from '../site.ts'
import { type Arriving, stepsOf } from '../traffic/steps.ts'
import type { ClassTraffic, Traffic } from '../traffic/traffic.ts'
import type { Known, KnownClass } from './known.ts'

export interface Span {
  readonly fromSeconds: number
  readonly untilSeconds: number
  readonly stepSeconds: number
}

/** A spread of arrivals that moves no count: 1e-3 of a Poisson count's deviation. */
const hardlyAny = 1e-3

/** `classes` are the site's; those of the policy that are interactive are known. Span and steps are whole seconds. */
export function knownTraffic(
  traffic: Traffic,
  classes: readonly SiteClass[],
  policy: ScalingPolicy,
  span: Span,
  seed: number,
): Known {
  const { fromSeconds, untilSeconds, stepSeconds } = span
  const steps = Math.floor((untilSeconds - fromSeconds) / stepSeconds)
  const drafts = policy.classes
    .filter(({ serviceLevel }) => serviceLevel.kind === 'interactive')
    .map((trafficClass) => ({
      ...{ trafficClass, index: classes.findIndex(({ id }) => id === trafficClass.id) },
      ...{ requestsPerSecond: new Float64Array(steps), shapeAt: new Uint16Array(steps) },
      shapes: [] as Shape[],
    }))
  const smooth = { ...traffic, sources: traffic.sources.map(withoutNoise) }
  const arriving = stepsOf(smooth, stepSeconds, seed)
  for (let skipped = 0; skipped < Math.floor(fromSeconds / stepSeconds); skipped++) arriving.next()
  const mixes = new Map<string, Shape>()
  for (let t = 0; t < steps; t++) {
    const entries = arriving.next().value as readonly Arriving[]
    for (const draft of drafts) {
      const own = entries.filter((_, source) => traffic.sources[source]?.classIndex === draft.index)
      draft.requestsPerSecond[t] = own.reduce((sum, { requests }) => sum + requests, 0) / stepSeconds
      draft.shapeAt[t] = indexOf(draft.shapes, mixed(own, mixes))
    }
  }
  return {
    stepSeconds,
    steps,
    classes: drafts.map(
      ({ trafficClass, requestsPerSecond, shapes, shapeAt }): KnownClass => ({
        ...{ trafficClass, requestsPerSecond, shapes, shapeAt },
      }),
    ),
  }
}

/** Requests per second of each class in its busiest minute, by class id: what a fleet at the peak is sized for. */
export function busiestMinute({ classes, stepSeconds }: Known): Readonly<Record<string, number>> {
  const width = Math.max(1, Math.round(60 / stepSeconds))
  return Object.fromEntries(
    classes.map(({ trafficClass, requestsPerSecond }) => {
      let most = 0
      for (let t = 0; t + width <= requestsPerSecond.length; t++) {
        const sum = requestsPerSecond.subarray(t, t + width).reduce((total, rate) => total + rate, 0)
        most = Math.max(most, sum / width)
      }
      return [trafficClass.id, most]
    }),
  )
}

function withoutNoise(traffic: ClassTraffic): ClassTraffic {
  const { source } = traffic
  if (source.kind === 'requests') return traffic
  return { ...traffic, source: { ...source, windows: source.windows.map((w) => ({ ...w, cv: hardlyAny })) } }
}

function indexOf(shapes: Shape[], shape: Shape): number {
  const last = shapes.length - 1
  if (shapes[last] === shape) return last
  const known = shapes.indexOf(shape)
  return known >= 0 ? known : shapes.push(shape) - 1
}

/** One source: its own shape. More: all their lengths, weighted by their requests to whole percents. */
function mixed(entries: readonly Arriving[], mixes: Map<string, Shape>): Shape {
  const [first] = entries
  if (first === undefined) return quiet
  const all = entries.reduce((sum, { requests }) => sum + requests, 0)
  if (entries.length === 1 || all <= 0) return first.shape
  const parts = entries.map(({ requests, shape }) => ({ share: Math.round((100 * requests) / all), shape }))
  const key = JSON.stringify(parts)
  const known = mixes.get(key)
  if (known !== undefined) return known
  const total = parts.reduce((sum, { share }) => sum + share, 0)
  const bins = (of: (shape: Shape) => readonly LengthBin[]): readonly LengthBin[] =>
    parts.flatMap(({ share, shape }) =>
      of(shape).map(({ tokens, weight }) => ({ tokens, weight: (weight * share) / total })),
    )
  const shape: Shape = {
    promptTokens: bins(({ promptTokens }) => promptTokens),
    outputTokens: bins(({ outputTokens }) => outputTokens),
    prefixHitRate: 0,
  }
  mixes.set(key, shape)
  return shape
}

const quiet: Shape = {
  promptTokens: [{ tokens: 1, weight: 1 }],
  outputTokens: [{ tokens: 1, weight: 1 }],
  prefixHitRate: 0,
}
