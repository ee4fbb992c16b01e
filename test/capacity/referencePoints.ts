// The reference points of the modelling notes, section 6: Poisson arrivals, ms. Predictions of the formula with global
// tempering ("Gc"), time per output token with both; `simulated` from 2 x 150,000 requests, iteration by iteration.
import { type EngineUnderTest, llama8b, llama70b, qwen14b } from './engines.ts'
import type { ShapeName } from './workloads.ts'

export interface ReferencePoint {
  readonly engine: EngineUnderTest
  readonly shape: ShapeName
  readonly requestsPerSecond: number
  /** p50, p95, p99. */
  readonly ttft: readonly [number, number, number]
  /** Mean, p50, p95, p99. */
  readonly itl: readonly [number, number, number, number]
  /** p50, p95. */
  readonly tpot: readonly [number, number]
  readonly tpotLocal: readonly [number, number]
  readonly inSystem: number
  readonly simulated: {
    readonly ttft95: number
    readonly itlMean: number
    readonly itl95: number
    readonly tpot95: number
  }
}

// biome-ignore format: a table
export const referencePoints: readonly ReferencePoint[] = [
  { engine: llama8b, shape: 'fix512x128', requestsPerSecond: 15, ttft: [21.915,37.315,48.097], itl: [8.8144,7.5241,17.492,17.955], tpot: [8.7161,9.5596], tpotLocal: [8.7271,9.5786], inSystem: 17.241, simulated: { ttft95: 35.613, itlMean: 8.8168, itl95: 17.503, tpot95: 9.8057 } },
  { engine: llama8b, shape: 'fix512x128', requestsPerSecond: 35, ttft: [32.527,64.78,86.124], itl: [15.66,10.859,33.346,42.001], tpot: [15.467,17.98], tpotLocal: [15.519,18.085], inSystem: 71.126, simulated: { ttft95: 62.493, itlMean: 15.652, itl95: 30.594, tpot95: 18.772 } },
  { engine: llama8b, shape: 'exp512x128', requestsPerSecond: 25, ttft: [25.671,67.221,96.872], itl: [11.487,8.8266,27.296,46.078], tpot: [11.262,14.233], tpotLocal: [11.295,14.294], inSystem: 37.536, simulated: { ttft95: 66.821, itlMean: 11.479, itl95: 27.328, tpot95: 14.591 } },
  { engine: llama8b, shape: 'exp512x128', requestsPerSecond: 42, ttft: [44.182,113.64,161.51], itl: [22.701,15.775,53.821,80.369], tpot: [22.287,29.777], tpotLocal: [22.415,30.04], inSystem: 124.03, simulated: { ttft95: 112.56, itlMean: 22.655, itl95: 53.962, tpot95: 30.857 } },
  { engine: llama8b, shape: 'azconv', requestsPerSecond: 11, ttft: [34.785,118.5,184.59], itl: [12.101,9.155,30.089,87.244], tpot: [11.806,14.85], tpotLocal: [11.86,14.937], inSystem: 28.659, simulated: { ttft95: 117.24, itlMean: 12.117, itl95: 30.26, tpot95: 15.631 } },
  { engine: llama8b, shape: 'azconv', requestsPerSecond: 18, ttft: [58.611,189.32,289.71], itl: [24.842,16.031,75.999,117.66], tpot: [24.278,32.313], tpotLocal: [24.454,32.711], inSystem: 95.604, simulated: { ttft95: 186.13, itlMean: 24.972, itl95: 77.547, tpot95: 34.399 } },
  { engine: llama8b, shape: 'gen256x800', requestsPerSecond: 8, ttft: [24.447,39.354,49.471], itl: [13.873,13.511,17.404,24.843], tpot: [13.759,15.507], tpotLocal: [13.762,15.512], inSystem: 88.463, simulated: { ttft95: 39.062, itlMean: 13.993, itl95: 17.696, tpot95: 16.194 } },
  { engine: llama8b, shape: 'rag3000x150', requestsPerSecond: 6, ttft: [80.374,304.8,514.97], itl: [14.842,9.3985,48.583,134.58], tpot: [13.907,22.227], tpotLocal: [14.197,22.838], inSystem: 14.227, simulated: { ttft95: 314.84, itlMean: 14.752, itl95: 51.228, tpot95: 24.598 } },
  { engine: llama8b, shape: 'azcode', requestsPerSecond: 11, ttft: [64.334,279.65,486.12], itl: [14.81,7.4503,58.845,150.95], tpot: [12.991,40.009], tpotLocal: [14.367,42.804], inSystem: 6.0988, simulated: { ttft95: 272.94, itlMean: 14.749, itl95: 61.818, tpot95: 47.17 } },
  { engine: qwen14b, shape: 'azconv', requestsPerSecond: 7, ttft: [62.619,232.73,374.72], itl: [20.186,14.504,53.762,159.67], tpot: [19.608,25.731], tpotLocal: [19.733,25.985], inSystem: 30.532, simulated: { ttft95: 229.1, itlMean: 20.21, itl95: 54.122, tpot95: 27.318 } },
  { engine: qwen14b, shape: 'exp512x128', requestsPerSecond: 20, ttft: [55.476,159.52,236.98], itl: [25.078,16.566,66.277,108.01], tpot: [24.508,33.475], tpotLocal: [24.664,33.739], inSystem: 65.593, simulated: { ttft95: 158.28, itlMean: 25.017, itl95: 66.623, tpot95: 34.587 } },
  { engine: llama70b, shape: 'azconv', requestsPerSecond: 4, ttft: [82.401,286.39,443.93], itl: [18.292,13.201,43.812,146.43], tpot: [17.656,23.448], tpotLocal: [17.783,23.708], inSystem: 15.979, simulated: { ttft95: 300.55, itlMean: 18.323, itl95: 43.836, tpot95: 25.762 } },
  { engine: llama70b, shape: 'exp512x128', requestsPerSecond: 12, ttft: [71.011,182.83,263.17], itl: [25.888,15.739,76.951,125.22], tpot: [25.311,34.669], tpotLocal: [25.516,35.079], inSystem: 40.751, simulated: { ttft95: 198.67, itlMean: 25.734, itl95: 76.776, tpot95: 37.705 } },
  { engine: llama70b, shape: 'gen256x800', requestsPerSecond: 3, ttft: [49.33,80.563,105.62], itl: [19.622,18.172,32.765,49.519], tpot: [19.354,22.352], tpotLocal: [19.359,22.36], inSystem: 46.976, simulated: { ttft95: 83.029, itlMean: 19.771, itl95: 32.909, tpot95: 23.327 } },
  { engine: llama70b, shape: 'azcode', requestsPerSecond: 3, ttft: [136.42,552.91,965.89], itl: [19.354,10.841,41.774,269.44], tpot: [14.631,56.858], tpotLocal: [18.084,62.976], inSystem: 2.5231, simulated: { ttft95: 590.74, itlMean: 19.503, itl95: 43.733, tpot95: 71.755 } },
]
