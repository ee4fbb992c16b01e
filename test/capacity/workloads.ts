// The six request shapes of the modelling notes' reference points, as 48 points of equal weight: exact where a
// distribution is stated, averages of the sorted trace where it is one of the Azure LLM inference traces of 2023
// (CC-BY-4.0, Patel et al., ISCA 2024), brought to the sample means that the notes state.
import type { LengthBin, Shape } from '../../src/core/capacity/question.ts'

const points = 48

export type ShapeName = 'fix512x128' | 'exp512x128' | 'rag3000x150' | 'gen256x800' | 'azconv' | 'azcode'

export function fixed(tokens: number): readonly LengthBin[] {
  return [{ tokens, weight: 1 }]
}

export function exponential(mean: number): readonly LengthBin[] {
  return averaged((u) => -Math.log(1 - u), mean)
}

/** `cv`: standard deviation over mean before lengths are cut at `longest`. */
export function lognormal(
  mean: number,
  cv: number,
  longest = Number.POSITIVE_INFINITY,
): readonly LengthBin[] {
  const variance = Math.log(1 + cv * cv)
  return averaged(
    (u) => Math.min(longest, mean * Math.exp(Math.sqrt(variance) * normalQuantile(u) - variance / 2)),
    mean,
  )
}

/** Means over 48 equal parts of a quantile function, scaled to the mean. */
function averaged(quantile: (u: number) => number, mean: number): readonly LengthBin[] {
  const parts = 200
  const bins = Array.from({ length: points }, (_, i) => {
    let sum = 0
    for (let j = 0; j < parts; j++) sum += quantile((i + (j + 0.5) / parts) / points)
    return sum / parts
  })
  const read = bins.reduce((sum, tokens) => sum + tokens, 0) / points
  return bins.map((tokens) => ({ tokens: Math.max(1, (tokens * mean) / read), weight: 1 / points }))
}

function normalQuantile(u: number): number {
  let low = -9
  let high = 9
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2
    if (normalCdf(middle) < u) low = middle
    else high = middle
  }
  return low
}

/** By the alternating series of its Taylor expansion near 0, which converges for all z, and fast for |z| < 5. */
function normalCdf(z: number): number {
  if (Math.abs(z) > 5) return z > 0 ? 1 : 0
  let term = z
  let sum = z
  for (let i = 1; i < 200; i++) {
    term *= (z * z) / (2 * i + 1)
    sum += term
  }
  return 0.5 + sum * Math.exp((-z * z) / 2) * 0.3989422804014327
}

function sorted(tokens: readonly number[], mean?: number): readonly LengthBin[] {
  const read = tokens.reduce((sum, length) => sum + length, 0) / tokens.length
  return tokens.map((length) => ({ tokens: (length * (mean ?? read)) / read, weight: 1 / tokens.length }))
}

// biome-ignore format: figures
const conversation = {
  prompts: [41.2, 152.4, 182.1, 197.6, 204.3, 216, 285.3, 371.6, 377.9, 384.2, 389.4, 392.8, 395.5, 398.4, 401.3, 404.8, 409.9, 419.2, 448.8, 786.1, 926.2, 975.7, 995.5, 1008.8, 1020.1, 1031, 1040.8, 1051, 1061.6, 1072.2, 1083.1, 1094.4, 1107.6, 1122.4, 1140.6, 1165.7, 1210.8, 1292, 1310.3, 1414.3, 1752.2, 2113.4, 2471.9, 3094.5, 4053.2, 4060.1, 4067.7, 4526.9],
  answers: [15.92, 32.7, 41.93, 47.73, 52.47, 57.75, 63.14, 68.07, 72.64, 76.8, 80.53, 83.54, 86.16, 88.64, 90.8, 93, 95.24, 97.93, 100.62, 103.92, 107.92, 112.26, 118.1, 125.27, 133.02, 141.24, 151.37, 161.45, 171.79, 185.49, 208, 237.64, 372.69, 382.05, 389.05, 393.68, 395.57, 396.79, 400.1, 404.97, 410.2, 413.8, 418.47, 425.99, 432.23, 450.29, 501.87, 636.43],
}

// biome-ignore format: figures
const code = {
  prompts: [19.3, 50.8, 76.6, 100.2, 135.9, 169.1, 200.6, 244.4, 307.2, 374, 457.4, 536.2, 607.7, 702.1, 777.5, 853.6, 914.8, 977.9, 1033.9, 1088.1, 1155, 1239.3, 1332.8, 1413.1, 1500.6, 1600.1, 1686.4, 1778.7, 1876.1, 1982.9, 2093.2, 2191.1, 2307.7, 2415, 2527.7, 2662, 2804.4, 2977, 3195.9, 3471.8, 3778.4, 4190.8, 4649.1, 5447.8, 6127.9, 7033.5, 7404.1, 7405.8],
  answers: [5.93, 5.93, 5.93, 5.95, 6.91, 6.91, 6.91, 7.53, 7.9, 7.9, 8.73, 8.88, 8.88, 8.88, 9.31, 9.87, 9.87, 10.35, 10.85, 10.91, 11.84, 11.84, 12.31, 12.82, 12.86, 13.81, 13.91, 14.8, 15.21, 15.78, 16.75, 17.71, 18.58, 19.43, 20.9, 22.26, 24.28, 26.55, 29.06, 32.22, 36.86, 42.6, 49.19, 57.14, 68.9, 87.08, 124.92, 324.97],
}

/** Prompts of the whole conversation trace, whose mean is above that of the reference points' sample. */
export const conversationPrompts = sorted(conversation.prompts, 1154.7)

/** `contextTokens` as sampled: in the traces long prompts get shorter answers. */
export const workloads: Readonly<Record<ShapeName, Shape>> = {
  fix512x128: { promptTokens: fixed(512), outputTokens: fixed(128), prefixHitRate: 0 },
  exp512x128: { promptTokens: exponential(509.4), outputTokens: exponential(128.4), prefixHitRate: 0 },
  rag3000x150: { promptTokens: lognormal(3004.3, 0.8), outputTokens: lognormal(149.5, 1), prefixHitRate: 0 },
  gen256x800: {
    promptTokens: lognormal(256.5, 1),
    outputTokens: lognormal(796, 1, 4096),
    prefixHitRate: 0,
    contextTokens: 1029.9,
  },
  azconv: {
    promptTokens: sorted(conversation.prompts),
    outputTokens: sorted(conversation.answers),
    prefixHitRate: 0,
    contextTokens: 1222.8,
  },
  azcode: {
    promptTokens: sorted(code.prompts),
    outputTokens: sorted(code.answers),
    prefixHitRate: 0,
    contextTokens: 2132.5,
  },
}
