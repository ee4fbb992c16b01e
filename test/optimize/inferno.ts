// The small instance of llm-inferno/sample-data (Apache-2.0): 15 servers on six accelerators, illustrative
// coefficients, its published greedy answer, and the queueing formula by which that project sizes a replica.

/** name, GPU type, GPUs, cost. */
const accelerators = [
  ['L4', 'L4', 1, 6],
  ['A100', 'A100', 1, 40],
  ['AIU2', 'AIU2', 1, 3.75],
  ['G2', 'G2', 1, 23],
  ['2xAIU2', 'AIU2', 2, 7.5],
  ['4xA100', 'A100', 4, 160],
] as const

export const capacity = { L4: 1024, A100: 768, AIU2: 1024, G2: 512 } as const

/** By model, in the order of the accelerators above: accelerators per replica, batch at 512 tokens, alpha, beta, gamma. */
const coefficients: Readonly<Record<string, readonly (readonly [number, number, number, number, number])[]>> =
  {
    granite_13b: [
      [2, 18, 137.2, 0.273, 0.00853125],
      [1, 64, 20.58, 0.041, 0.00128125],
      [1, 102, 205.8, 0.41, 0.0128125],
      [1, 76, 17.15, 0.034, 0.0010625],
      [1, 102, 147, 0.293, 0.00915625],
      [1, 64, 10.29, 0.021, 0.00065625],
    ],
    granite_34b: [
      [4, 6, 325.13, 0.547, 0.01709375],
      [2, 24, 48.77, 0.082, 0.0025625],
      [1, 38, 487.7, 0.82, 0.025625],
      [2, 28, 40.64, 0.068, 0.002125],
      [1, 38, 348.36, 0.586, 0.0183125],
      [1, 24, 24.39, 0.041, 0.00128125],
    ],
    llama_13b: [
      [2, 18, 134.2, 0.58, 0.018125],
      [1, 64, 20.13, 0.087, 0.00271875],
      [1, 102, 201.3, 0.87, 0.0271875],
      [1, 76, 16.78, 0.073, 0.00228125],
      [1, 102, 143.79, 0.621, 0.01940625],
      [1, 64, 10.07, 0.044, 0.001375],
    ],
    llama_70b: [
      [8, 2, 182.73, 4.713, 0.14728125],
      // biome-ignore lint/suspicious/noApproximativeNumericConstant: a published coefficient, not 1/sqrt(2)
      [4, 10, 27.41, 0.707, 0.02209375],
      [2, 16, 274.1, 7.07, 0.2209375],
      [4, 12, 22.84, 0.589, 0.01840625],
      [1, 16, 195.79, 5.05, 0.1578125],
      [1, 10, 13.71, 0.354, 0.0110625],
    ],
    mixtral_8_7b: [
      [8, 4, 197.53, 4.007, 0.12521875],
      [4, 16, 29.63, 0.601, 0.01878125],
      [2, 24, 296.3, 6.01, 0.1878125],
      [2, 18, 24.69, 0.501, 0.01565625],
      [1, 24, 211.64, 4.293, 0.13415625],
      [1, 16, 14.82, 0.301, 0.00940625],
    ],
  }

/** Requests per minute, and milliseconds of mean ITL and TTFT; granite_13b has half the ITL. */
const serviceClasses = [
  { name: 'Premium', perMinute: 60, itl: 80, ttft: 1000 },
  { name: 'Bronze', perMinute: 120, itl: 160, ttft: 2000 },
  { name: 'Free', perMinute: 240, itl: 320, ttft: 4000 },
]

/** Total cost of the published greedy allocation. */
export const greedyCost = 39743

export interface Server {
  readonly name: string
  readonly requestsPerSecond: number
  readonly options: readonly {
    readonly accelerator: string
    readonly type: string
    readonly gpus: number
    readonly cost: number
    /** Requests per second of one replica within the SLO; 0 where it cannot meet it. */
    readonly rate: number
  }[]
}

export const servers: readonly Server[] = serviceClasses.flatMap((level) =>
  Object.entries(coefficients).map(
    ([model, rows]): Server => ({
      name: `${level.name}-${model}`,
      requestsPerSecond: level.perMinute / 60,
      options: rows.map(([count, batch, alpha, beta, gamma], index) => {
        const [accelerator, type, multiplicity, cost] = accelerators[index] ?? accelerators[0]
        const slots = Math.max(Math.floor((batch * 512) / 1024), 1)
        const engine = { alpha, beta, gamma, promptTokens: 128, outputTokens: 1024, slots, queue: 10 * slots }
        const itl = model === 'granite_13b' ? level.itl / 2 : level.itl
        return {
          accelerator,
          type,
          gpus: count * multiplicity,
          cost: count * cost,
          rate: maxRate(engine, level.ttft, itl),
        }
      }),
    }),
  ),
)

export interface Engine {
  readonly alpha: number
  readonly beta: number
  readonly gamma: number
  readonly promptTokens: number
  readonly outputTokens: number
  readonly slots: number
  readonly queue: number
}

/** Milliseconds of T(n), of prefill and of one decode step with n in service. */
function times(engine: Engine, n: number) {
  const { alpha, beta, gamma, promptTokens, outputTokens } = engine
  const perStep = (promptTokens + outputTokens) / (outputTokens + 1)
  const held = promptTokens + outputTokens / 2
  const step = alpha + n * (beta * perStep + gamma * held)
  return { prefill: step + (beta + gamma) * promptTokens, decode: step + beta + gamma * held }
}

/** Requests per millisecond leaving with n in service. */
function departures(engine: Engine, n: number): number {
  const { prefill, decode } = times(engine, n)
  return n / (prefill + engine.outputTokens * decode)
}

/** Mean milliseconds and numbers of the queue at a rate per second: a birth-death chain of slots + queue states. */
export function queue(engine: Engine, requestsPerSecond: number) {
  const arrivals = requestsPerSecond / 1000
  const states = engine.slots + engine.queue
  const weights = [0]
  for (let n = 1; n <= states; n++) {
    weights.push((weights[n - 1] ?? 0) + Math.log(arrivals / departures(engine, Math.min(n, engine.slots))))
  }
  const largest = Math.max(...weights)
  const sizes = weights.map((weight) => Math.exp(weight - largest))
  const total = sizes.reduce((sum, size) => sum + size, 0)
  const mean = (value: (n: number) => number): number =>
    sizes.reduce((sum, size, n) => sum + (size / total) * value(n), 0)
  const throughput = arrivals * (1 - (sizes[states] ?? 0) / total)
  const waiting = mean((n) => Math.max(0, n - engine.slots)) / throughput
  const response = mean((n) => n) / throughput
  const inService = mean((n) => Math.min(n, engine.slots))
  // Service time is linear in n: the n at which it is what requests see on average.
  const span = (n: number): number => times(engine, n).prefill + engine.outputTokens * times(engine, n).decode
  const effective = (response - waiting - span(0)) / (span(1) - span(0))
  const seen = times(engine, Math.min(Math.max(effective, 0), engine.slots))
  return {
    throughput: 1000 * throughput,
    response,
    waiting,
    inService,
    // As that project adds it: the first token's own step at the mean number in service.
    ttft: waiting + seen.prefill + times(engine, inService).decode,
    itl: seen.decode,
  }
}

/** The largest rate at which both means hold, by bisection; 0 where none does. */
export function maxRate(engine: Engine, ttft: number, itl: number): number {
  const meets = (rate: number): boolean => {
    const now = queue(engine, rate)
    return now.ttft <= ttft && now.itl <= itl
  }
  let low = 1000 * 0.001 * departures(engine, 1)
  let high = 1000 * 0.999 * departures(engine, engine.slots)
  if (!meets(low)) return 0
  if (meets(high)) return high
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (meets(middle)) low = middle
    else high = middle
  }
  return low
}
