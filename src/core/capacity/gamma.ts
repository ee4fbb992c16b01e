// The gamma distribution function: waiting times and step lengths are matched to it by mean and variance.
// Series below the mean, continued fraction above (Abramowitz and Stegun 6.5.29, 6.5.31); from shape 200 up the
// Wilson-Hilferty normal approximation, whose error is then below 5e-5.

/** P(X <= x) for X gamma with this mean and variance. A spread below 0.1 % of the mean counts as none. */
export function gammaCdf(mean: number, variance: number, x: number): number {
  if (!(mean > 0) || variance <= 1e-6 * mean * mean) return x >= mean ? 1 : 0
  if (!(x > 0)) return 0
  const shape = (mean * mean) / variance
  const z = (x / mean) * shape
  if (shape > 200) {
    const ninth = 1 / (9 * shape)
    return normalCdf((Math.cbrt(z / shape) - 1 + ninth) / Math.sqrt(ninth))
  }
  return z < shape + 1 ? lowerSeries(shape, z) : 1 - upperFraction(shape, z)
}

/** E[exp(-rate X)] for X gamma with this mean and variance: the chance that nothing arrives during X. */
export function gammaLaplace(mean: number, variance: number, rate: number): number {
  if (!(mean > 0)) return 1
  if (variance <= 1e-6 * mean * mean) return Math.exp(-rate * mean)
  return Math.exp(-((mean * mean) / variance) * Math.log1p((rate * variance) / mean))
}

function lowerSeries(shape: number, z: number): number {
  let term = 1 / shape
  let sum = term
  for (let i = 1; i < 1000 && term > sum * 1e-10; i++) {
    term *= z / (shape + i)
    sum += term
  }
  return Math.min(1, sum * density(shape, z))
}

function upperFraction(shape: number, z: number): number {
  let b = z + 1 - shape
  let c = 1e300
  let d = 1 / b
  let h = d
  for (let i = 1; i < 1000; i++) {
    const a = -i * (i - shape)
    b += 2
    d = 1 / (a * d + b)
    c = b + a / c
    const step = c * d
    h *= step
    if (Math.abs(step - 1) < 1e-10) break
  }
  return Math.min(1, Math.max(0, h * density(shape, z)))
}

/** z^shape e^-z / Gamma(shape). */
function density(shape: number, z: number): number {
  return Math.exp(shape * Math.log(z) - z - logGamma(shape))
}

/** Lanczos, g = 7, nine terms. */
function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x)
  let sum = 0.99999999999980993
  for (let i = 0; i < lanczos.length; i++) sum += (lanczos[i] ?? 0) / (x + i)
  const t = x + 6.5
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum)
}

const lanczos = [
  676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
  -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
]

/** Abramowitz and Stegun 26.2.17: absolute error below 7.5e-8. */
function normalCdf(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z))
  const tail =
    0.3989422804014327 *
    Math.exp((-z * z) / 2) *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  return z > 0 ? 1 - tail : tail
}
