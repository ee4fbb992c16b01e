// Coefficients from first principles, where nobody has measured: a step reads the weights and the KV cache, a prompt
// is computed. How much of a data sheet's figure an engine reaches is taken from the measured profiles of dense
// models (test/profiles/roofline.test.ts prints both); experts reach far less in prefill. An estimate, and marked as such.
import type { Profile } from '../profile.ts'
import type { Accelerator } from './accelerators.ts'
import { bytesPerWeight, type ModelSize, type Precision } from './models.ts'

/** What one replica consists of. */
export interface Setup {
  readonly size: ModelSize
  readonly precision: Precision
  readonly accelerator: Accelerator
  readonly count: number
}

/** Shares of the data sheet's figures that engines reach. */
const weightBandwidth = 0.9
const expertBandwidth = 0.7
const cacheBandwidth = 0.73
const prefillCompute = 0.5
const prefillComputeOfExperts = 0.12
/** Kernel launches, collectives and scheduling, ms per layer and step; sampling, ms per sequence. */
const perLayer = 0.075
const perSequence = 0.02
/** Share of memory that the engine takes by default, and what of it must remain for the cache. */
const memoryUtilization = 0.9
const leastCacheShare = 0.1

/** Tokens that fit beside the weights. */
export function kvTokensBeside({ size, precision, accelerator, count }: Setup): number {
  const usable = memoryUtilization * accelerator.memoryGigabytes * 1e9 * count
  return Math.max(0, Math.floor((usable - weightBytes(size, precision)) / size.kvBytesPerToken))
}

export function fits({ size, precision, accelerator, count }: Setup): boolean {
  const usable = memoryUtilization * accelerator.memoryGigabytes * 1e9 * count
  return weightBytes(size, precision) <= (1 - leastCacheShare) * usable
}

export function roofline(name: string, setup: Setup): Profile {
  const { size, precision, accelerator, count } = setup
  const bandwidth = accelerator.terabytesPerSecond * 1e12 * count
  const flops = (precision === 'bf16' ? accelerator.teraflops16 : accelerator.teraflops8) * 1e12 * count
  const kappa = size.kappa ?? 1
  const always = Math.max(0, (size.activeBillions - kappa * size.billions) / (1 - kappa || 1))
  const inExperts = size.kappa === undefined ? 0 : size.billions - always
  const read = (billions: number): number => billions * 1e9 * bytesPerWeight(precision) * 1000
  const flopsPerToken = 2 * size.activeBillions * 1e9
  // More GPUs for the same prompt wait for each other more: measured on 70 billion parameters over 2, 4 and 8.
  const reached = (inExperts > 0 ? prefillComputeOfExperts : prefillCompute) * count ** -0.3
  const a = read(size.billions - inExperts) / (bandwidth * weightBandwidth) + perLayer * size.layers
  return {
    name,
    quality: 'guess',
    source: `estimate from ${round(size.billions)} billion parameters in ${precision} on ${count} x ${accelerator.name}`,
    a,
    b: (1000 * flopsPerToken) / (flops * prefillCompute) + perSequence,
    c: (1000 * size.kvBytesPerToken) / (bandwidth * cacheBandwidth),
    ap: a,
    bp: (1000 * flopsPerToken) / (flops * reached),
    // Causal attention: 2 x^2 operations per layer and unit of width.
    d2: (1000 * 2 * widthTimesLayers(size)) / (flops * reached),
    g: 0,
    h: 0,
    ...(inExperts > 0
      ? { mixtureOfExperts: { x: read(inExperts) / (bandwidth * expertBandwidth), kappa } }
      : {}),
    kvTokens: kvTokensBeside(setup),
  }
}

function weightBytes(size: ModelSize, precision: Precision): number {
  return size.billions * 1e9 * bytesPerWeight(precision)
}

/** 131,072 for 8 billion parameters, 655,360 for 70. */
function widthTimesLayers({ activeBillions }: ModelSize): number {
  return 131_072 * (activeBillions / 8) ** 0.74
}

function round(billions: number): number {
  return Number(billions.toPrecision(3))
}
