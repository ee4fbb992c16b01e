// The next value of a series, as Dynamo's planner foresees the next interval's requests and lengths (ai-dynamo/dynamo,
// planner/core/load/predictors.py): the last value; a Kalman filter on level and trend (Holt's method with gains that
// settle), with q 1 and 0.1 and r 10 as shipped; or auto-ARIMA, of which an AR(p) on first differences stands here, p
// up to 3 by AIC and refitted every time. The original fits its order once, on the first five values.

export type Predictor = 'constant' | 'kalman' | 'arima'

/** Leading zeros are not learnt from. */
export interface NextValue {
  readonly add: (value: number) => void
  readonly next: () => number
}

export function predictor(kind: Predictor): NextValue {
  switch (kind) {
    case 'constant':
      return constant()
    case 'kalman':
      return kalman()
    case 'arima':
      return arima()
  }
}

function constant(): NextValue {
  let last = 0
  return {
    add: (value) => {
      last = value
    },
    next: () => last,
  }
}

const levelNoise = 1
const trendNoise = 0.1
const measurementNoise = 10
const firstVariance = 1000

/** x = (level, trend), F = [[1, 1], [0, 1]], H = (1, 0). */
function kalman(): NextValue {
  let state: { level: number; trend: number; p: readonly [number, number, number] } | undefined
  /** p: level, covariance, trend. */
  const predicted = (x: NonNullable<typeof state>): NonNullable<typeof state> => {
    const [pl, pc, pt] = x.p
    return {
      level: x.level + x.trend,
      trend: x.trend,
      p: [pl + 2 * pc + pt + levelNoise, pc + pt, pt + trendNoise],
    }
  }
  return {
    add: (value) => {
      if (state === undefined) {
        if (value !== 0) state = { level: value, trend: 0, p: [firstVariance, 0, firstVariance] }
        return
      }
      const { level, trend, p } = predicted(state)
      const innovation = value - level
      const gain = 1 / (p[0] + measurementNoise)
      const toLevel = p[0] * gain
      const toTrend = p[1] * gain
      state = {
        level: level + toLevel * innovation,
        trend: trend + toTrend * innovation,
        p: [(1 - toLevel) * p[0], (1 - toLevel) * p[1], p[2] - toTrend * p[1]],
      }
    },
    next: () => (state === undefined ? 0 : Math.max(0, predicted(state).level)),
  }
}

const fewest = 5
const remembered = 240
const highestOrder = 3

function arima(): NextValue {
  const values: number[] = []
  return {
    add: (value) => {
      if (value === 0 && values.length === 0) return
      values.push(value)
      if (values.length > remembered) values.shift()
    },
    next: () => {
      const last = values.at(-1) ?? 0
      if (values.length < fewest) return last
      const changes = values.slice(1).map((value, i) => value - (values[i] ?? 0))
      return Math.max(0, last + nextChange(changes))
    },
  }
}

/** AR(p) without a constant, by least squares; AIC = m ln(RSS / m) + 2 (p + 1) on the values all orders can explain. */
function nextChange(changes: readonly number[]): number {
  const from = highestOrder
  const m = changes.length - from
  if (m < 2 * highestOrder) return 0
  let best = { aic: Number.POSITIVE_INFINITY, next: 0 }
  for (let order = 0; order <= highestOrder; order++) {
    const phi = autoregression(changes, order, from)
    if (phi === undefined) continue
    let rss = 0
    for (let t = from; t < changes.length; t++) rss += ((changes[t] ?? 0) - step(changes, phi, t)) ** 2
    const aic = m * Math.log(Math.max(rss, 1e-12) / m) + 2 * (order + 1)
    if (aic < best.aic) best = { aic, next: step(changes, phi, changes.length) }
  }
  return best.next
}

function step(changes: readonly number[], phi: readonly number[], t: number): number {
  return phi.reduce((sum, each, lag) => sum + each * (changes[t - 1 - lag] ?? 0), 0)
}

/** Normal equations by Gauss elimination; undefined where they are singular. */
function autoregression(changes: readonly number[], order: number, from: number): number[] | undefined {
  const at = (t: number): number => changes[t] ?? 0
  const rows = Array.from({ length: order }, (_, i) =>
    Array.from({ length: order + 1 }, (_, j) => {
      let sum = 0
      for (let t = from; t < changes.length; t++) sum += at(t - 1 - i) * (j < order ? at(t - 1 - j) : at(t))
      return sum
    }),
  )
  for (let i = 0; i < order; i++) {
    const pivot = rows[i] as number[]
    const value = pivot[i] ?? 0
    if (!(value > 1e-12)) return undefined
    for (const [k, row] of rows.entries()) {
      if (k === i) continue
      const factor = (row[i] ?? 0) / value
      for (let j = i; j <= order; j++) row[j] = (row[j] ?? 0) - factor * (pivot[j] ?? 0)
    }
  }
  return rows.map((row, i) => (row[order] ?? 0) / (row[i] ?? 1))
}
