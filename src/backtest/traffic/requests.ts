// Traffic request by request: recorded ones as they are, others drawn from their rates; scaled, shifted and merged.
import { mergeArrivals, renewalArrivals, type TracedRequest } from '../../simulation/arrivals.ts'
import { Random } from '../../simulation/random.ts'
import type { Request } from '../../simulation/request.ts'
import { TimeOrder } from '../../simulation/timeOrder.ts'
import { rateInside } from './insideWindows.ts'
import { drawLength } from './lengthPoints.ts'
import { lengthsInside } from './lengthsInside.ts'
import type { ClassTraffic, RateSource, Traffic } from './traffic.ts'

/** Copies of a request come up to this much earlier or later: other users, in the same minute. */
const jitterSeconds = 30

/** In order of time. */
export function requestsOf({ sources, untilSeconds }: Traffic, seed: number): Iterator<Request> {
  return mergeArrivals(
    sources.map((source, index) => requestsFrom(source, untilSeconds, seed * 1000 + index)),
  )
}

/** Of one source, in order of time, until the traffic ends. */
export function requestsFrom(traffic: ClassTraffic, untilSeconds: number, seed: number): Iterator<Request> {
  const { source, scale, shiftSeconds, classIndex } = traffic
  switch (source.kind) {
    case 'requests':
      return recorded(copied(source.open(), scale, seed), classIndex, shiftSeconds, untilSeconds)
    case 'rates':
      return drawn(traffic, source, rateInside(source.windows, source.inside, seed), untilSeconds, seed)
  }
}

function* recorded(
  requests: Iterable<TracedRequest>,
  classIndex: number,
  shiftSeconds: number,
  untilSeconds: number,
): Generator<Request> {
  for (const { atSeconds, promptTokens, outputTokens } of requests) {
    const arrivedAtSeconds = atSeconds + shiftSeconds
    if (arrivedAtSeconds < 0) continue
    if (arrivedAtSeconds >= untilSeconds) return
    yield { arrivedAtSeconds, promptTokens, outputTokens, cachedTokens: 0, classIndex }
  }
}

/** Each request stands for `scale` of them: itself, and copies nearby; where the scale is not whole, by chance. */
function* copied(requests: Iterator<TracedRequest>, scale: number, seed: number): Generator<TracedRequest> {
  const random = new Random(seed, 22)
  const order = new TimeOrder<TracedRequest>(Infinity, ({ atSeconds }) => atSeconds)
  for (let next = requests.next(); next.done !== true; next = requests.next()) {
    const request = next.value
    const copies = Math.floor(scale) + Number(random.uniform() < scale % 1)
    for (let copy = 0; copy < copies; copy++) {
      // The original stays where it is as long as all of it is wanted: scale 1 changes nothing.
      const late = copy === 0 ? 0 : (2 * random.uniform() - 1) * jitterSeconds
      order.push({ ...request, atSeconds: Math.max(0, request.atSeconds + late) })
    }
    for (;;) {
      const due = order.popUntil(request.atSeconds - jitterSeconds)
      if (due === undefined) break
      yield due
    }
  }
  yield* order.rest()
}

function drawn(
  { scale, shiftSeconds, classIndex }: ClassTraffic,
  { windows, inside }: RateSource,
  rate: (at: number) => number,
  untilSeconds: number,
  seed: number,
): Iterator<Request> {
  const lengthsAt = lengthsInside(windows, inside)
  const fromSeconds = Math.max(0, shiftSeconds)
  const end = (windows.at(-1)?.untilSeconds ?? 0) + shiftSeconds
  let now = fromSeconds
  const arrivals = renewalArrivals({
    rate: (at) => {
      now = at
      return scale * rate(at - shiftSeconds)
    },
    lengths: (random) => {
      const lengths = lengthsAt(now - shiftSeconds)
      return {
        promptTokens: drawLength(lengths?.promptTokens ?? [], random),
        outputTokens: drawLength(lengths?.outputTokens ?? [], random),
      }
    },
    seed,
    cv: windows[0]?.cv ?? 1,
    classIndex,
    fromSeconds,
    untilSeconds: Math.min(untilSeconds, end),
  })
  return arrivals
}
