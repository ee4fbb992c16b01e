// Traffic for the bench of what is learnt: a made day, and recorded ones with arrivals drawn inside their windows.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  mergeArrivals,
  type RateCurve,
  renewalArrivals,
  type TracedRequest,
  traceArrivals,
} from '../src/simulation/arrivals.ts'
import { lognormalLengths } from '../src/simulation/lengths.ts'
import { Random } from '../src/simulation/random.ts'
import type { Request } from '../src/simulation/request.ts'

export interface Traffic {
  readonly name: string
  readonly seconds: number
  readonly arrivals: (seed: number) => Iterator<Request>
}

const daySeconds = 86_400

/**
 * A day's wave between 0.3 and 1.7 times the mean of 14 requests/s, six spikes of half the mean that rise within a minute
 * and stay for ten, and a random walk on top (5 % per square root of a minute, forgotten within half an hour).
 */
export function madeDay(hours: number): Traffic {
  const seconds = hours * 3600
  return {
    name: 'day',
    seconds,
    arrivals: (seed) => {
      const noise = wander(seconds, 0.05, new Random(seed, 21))
      const spikes = spikesOf(seconds, new Random(seed, 22))
      const rate = (at: number): number =>
        14 * (1 - 0.7 * Math.cos((2 * Math.PI * at) / seconds)) * noise(at) + 7 * spikes(at)
      return renewalArrivals({
        rate,
        lengths: lognormalLengths(1155, 211, 0.85),
        seed,
        cv: 1,
        classIndex: 0,
        fromSeconds: 0,
        untilSeconds: seconds,
      })
    },
  }
}

/** exp of an Ornstein-Uhlenbeck walk, a value per minute, straight lines between. */
function wander(seconds: number, perRootMinute: number, random: Random): RateCurve {
  const walk: number[] = [0]
  for (let minute = 1; minute <= seconds / 60 + 1; minute++) {
    walk.push((walk.at(-1) ?? 0) * Math.exp(-1 / 30) + perRootMinute * random.normal())
  }
  return (at) => {
    const minute = Math.floor(at / 60)
    const from = walk[minute] ?? 0
    return Math.exp(from + ((walk[minute + 1] ?? from) - from) * (at / 60 - minute))
  }
}

function spikesOf(seconds: number, random: Random): RateCurve {
  const starts = Array.from(
    { length: Math.max(1, Math.round((6 * seconds) / daySeconds)) },
    () => random.uniform() * (seconds - 720),
  )
  return (at) =>
    starts.reduce((sum, from) => {
      const inside = Math.min(at - from, from + 660 - at) / 60
      return sum + Math.min(1, Math.max(0, inside))
    }, 0)
}

/** The Azure conversation trace: one hour, four copies turned against each other. */
export async function azureConv(data: string): Promise<Traffic> {
  const [, ...lines] = (await readFile(join(data, 'AzureLLMInferenceTrace_conv.csv'), 'utf8'))
    .trim()
    .split('\n')
  const requests = lines.map((line) => {
    const [time = '', prompt = '', output = ''] = line.split(',')
    const atSeconds = Date.parse(`${time.slice(0, 23).replace(' ', 'T')}Z`) / 1000
    return { atSeconds, promptTokens: Number(prompt), outputTokens: Math.max(1, Number(output)) }
  })
  const begin = requests[0]?.atSeconds ?? 0
  const seconds = Math.floor((requests.at(-1)?.atSeconds ?? 0) - begin)
  return {
    name: 'azure-conv',
    seconds,
    arrivals: () =>
      mergeArrivals([0, 1, 2, 3].map((copy) => turned(requests, begin, seconds, (seconds * copy) / 16))),
  }
}

function turned(
  requests: readonly TracedRequest[],
  begin: number,
  seconds: number,
  shift: number,
): Iterator<Request> {
  const trace = requests
    .map((request) => ({ ...request, atSeconds: (request.atSeconds - begin + shift) % seconds }))
    .toSorted((x, y) => x.atSeconds - y.atSeconds)
  return traceArrivals([{ atSeconds: 0, promptTokens: 1, outputTokens: 1 }, ...trace], {
    fromSeconds: 0,
    speed: 1,
    classIndex: 0,
  })
}

/**
 * A day of ServeGen, ten-minute rates joined by straight lines of the logarithm, Poisson inside, scaled to `mean`
 * requests per second. Lengths: lognormal with the window's means, the spread of the conversation trace.
 */
export async function servegenDay(
  data: string,
  file: string,
  name: string,
  mean: number,
  hours: number,
): Promise<Traffic> {
  const [head = '', ...lines] = (await readFile(join(data, file), 'utf8')).trim().split('\n')
  const columns = head.split(',')
  const windows = lines.slice(0, 144).map((line) => {
    const cells = line.split(',').map(Number)
    const cell = (column: string): number => cells[columns.indexOf(column)] ?? 0
    return { rate: cell('rate_req_s'), prompt: cell('prompt_mean'), output: cell('output_mean') }
  })
  const average = windows.reduce((sum, { rate }) => sum + rate, 0) / windows.length
  const at = (seconds: number) =>
    windows[Math.min(windows.length - 1, Math.max(0, Math.floor(seconds / 600)))]
  return {
    name,
    seconds: hours * 3600,
    arrivals: (seed) => {
      const prompt = windows.reduce((sum, window) => sum + window.prompt, 0) / windows.length
      const output = windows.reduce((sum, window) => sum + window.output, 0) / windows.length
      return renewalArrivals({
        rate: (second) => {
          const middle = second - 300
          const from = Math.max(1e-3, at(middle)?.rate ?? 0)
          const to = Math.max(1e-3, at(middle + 600)?.rate ?? from)
          const part = (((middle % 600) + 600) % 600) / 600
          return (mean / average) * from * (to / from) ** part
        },
        lengths: lognormalLengths(prompt, output, 0.85),
        seed,
        cv: 1,
        classIndex: 0,
        fromSeconds: 0,
        untilSeconds: hours * 3600,
      })
    },
  }
}
