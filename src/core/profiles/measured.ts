// Iteration-time coefficients fitted to published measurements, one entry per engine set-up, named
// `model[-precision]/accelerator-tpN`; bf16 where no precision is named, and `@` marks an older or alternative fit.
//
// `heldOut` is the error on what the fit had not seen, in percent of the time per output token: with one request
// shape, one concurrency or half of the points left out. good: at most 5 (p90 15), fair: at most 10 (p90 30). Quality
// is about output tokens: TTFT of the closed-loop sources carries their start-up burst, and `h` belongs to their
// client and network. Coefficients in ms and tokens, as in ../profile.ts.
import type { Profile } from '../profile.ts'

export interface MeasuredProfile {
  readonly name: string
  readonly engine: string
  readonly quality: 'good' | 'fair'
  readonly source: string
  readonly heldOut: HeldOut
  readonly law: Pick<Profile, 'a' | 'b' | 'c' | 'ap' | 'bp' | 'd2' | 'g' | 'h'>
  readonly mixtureOfExperts?: { readonly x: number; readonly kappa: number }
  /** Where the source states it; else from the memory that weights leave. */
  readonly kvTokens?: number
}

export interface HeldOut {
  readonly leftOut: 'shape' | 'concurrency' | 'point'
  readonly median: number
  readonly p90: number
}

/** Open-loop sweeps over 12 shapes at a constant rate; GPU not stated, its cache and speed fit one H100-80GB. */
const guidellmSweeps = 'llm-inferno/model-trainer guidellm sweeps, constant rate'
/** Prefill and decode swept apart: what a prefill costs beyond its tokens is charged to the engine, none of it to h. */
const dynamo = 'ai-dynamo/dynamo pre-swept results (Apache-2.0)'
/** Closed loop at fixed concurrency. */
const aiconfigurator = 'ai-dynamo/aiconfigurator silicon samples (Apache-2.0)'
const inferenceMax = 'SemiAnalysis InferenceMAX, October and November 2025'

export const measuredProfiles: readonly MeasuredProfile[] = [
  {
    name: 'gpt-oss-120b-fp4/b200-tp1',
    engine: 'vLLM 0.15.1',
    quality: 'fair',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 4.1, p90: 10.9 },
    law: { a: 2.734, b: 0.03086, c: 3.679e-6, ap: 2.734, bp: 0.00957, d2: 0, g: 0, h: 18.2 },
    mixtureOfExperts: { x: 4.255, kappa: 0.03125 },
  },
  {
    name: 'gpt-oss-120b-fp4/b200-tp8',
    engine: 'vLLM, version not stated',
    quality: 'fair',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 5, p90: 22 },
    law: { a: 2.756, b: 0.01324, c: 4.979e-7, ap: 2.756, bp: 0.007431, d2: 0, g: 0, h: 7.421 },
    mixtureOfExperts: { x: 2.036, kappa: 0.03125 },
  },
  {
    name: 'gpt-oss-120b-fp4/h100-tp2',
    engine: 'vLLM 0.18.0',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 2.1, p90: 5.4 },
    law: { a: 3.691, b: 0.01629, c: 1.163e-6, ap: 3.691, bp: 0.02652, d2: 0, g: 0, h: 4.01 },
    mixtureOfExperts: { x: 9.739, kappa: 0.03125 },
  },
  {
    name: 'gpt-oss-120b-fp4/h200-tp2',
    engine: 'vLLM 0.18.0',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 1.8, p90: 5.8 },
    law: { a: 3.482, b: 0.02117, c: 6.2e-7, ap: 3.482, bp: 0.02688, d2: 0, g: 0, h: 5.637 },
    mixtureOfExperts: { x: 9.186, kappa: 0.03125 },
  },
  {
    name: 'gpt-oss-120b-fp4/h200-tp4',
    engine: 'vLLM 0.18.0',
    quality: 'fair',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 3.1, p90: 6.4 },
    law: { a: 3.749, b: 0.0858, c: 8.208e-7, ap: 3.749, bp: 0.01692, d2: 0, g: 0, h: 12.18 },
  },
  {
    name: 'gpt-oss-120b-fp4/h200-tp8',
    engine: 'vLLM 0.18.0',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 1.1, p90: 2.7 },
    law: { a: 3.146, b: 0.008824, c: 4.979e-7, ap: 3.146, bp: 0.01271, d2: 0, g: 0, h: 9.638 },
    mixtureOfExperts: { x: 2.955, kappa: 0.03125 },
  },
  {
    name: 'gpt-oss-120b-fp4/mi325x-tp2',
    engine: 'vLLM, version not stated',
    quality: 'good',
    source: inferenceMax,
    heldOut: { leftOut: 'shape', median: 4.1, p90: 11.6 },
    law: { a: 4.164, b: 0.01151, c: 5.102e-7, ap: 4.164, bp: 0.05176, d2: 0, g: 0, h: 21.35 },
    mixtureOfExperts: { x: 9.487, kappa: 0.03125 },
  },
  {
    name: 'kimi-k2.5-fp4/b200-tp4',
    engine: 'vLLM 0.17.0',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'concurrency', median: 2.4, p90: 9.4 },
    law: { a: 6.587, b: 0.0183, c: 8.566e-7, ap: 6.587, bp: 0.02354, d2: 0, g: 0, h: 35.06 },
    mixtureOfExperts: { x: 18.24, kappa: 0.02083 },
  },
  {
    name: 'kimi-k2.5-int4/b200-tp8',
    engine: 'vLLM 0.15.1',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 3.6, p90: 8.1 },
    law: { a: 8.266, b: 0.02097, c: 2.888e-6, ap: 8.266, bp: 0.04542, d2: 0, g: 0, h: 25.83 },
    mixtureOfExperts: { x: 21.32, kappa: 0.02083 },
  },
  {
    name: 'kimi-k2.5-fp4/b300-tp4',
    engine: 'vLLM 0.19.0',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'concurrency', median: 3.2, p90: 3.9 },
    law: { a: 6.356, b: 0.01489, c: 1.148e-6, ap: 6.356, bp: 0.01982, d2: 0, g: 0, h: 43.12 },
    mixtureOfExperts: { x: 18.05, kappa: 0.02083 },
  },
  {
    name: 'kimi-k2.5-int4/h200-tp8',
    engine: 'vLLM 0.16.0',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 2.4, p90: 5.3 },
    law: { a: 7.944, b: 0.006906, c: 6.568e-6, ap: 7.944, bp: 0.05489, d2: 0, g: 0, h: 15.24 },
    mixtureOfExperts: { x: 26.74, kappa: 0.02083 },
  },
  {
    name: 'llama-3.1-70b-fp4/b200-tp1',
    engine: 'vLLM, version not stated',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 2.3, p90: 14.8 },
    law: { a: 12.59, b: 0.00408, c: 2.811e-5, ap: 12.59, bp: 0.04728, d2: 0, g: 0, h: 1.405 },
  },
  {
    name: 'llama-3.1-70b-fp8/b200-tp1',
    engine: 'vLLM, version not stated',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 2.8, p90: 13.7 },
    law: { a: 15.75, b: 0.008681, c: 2.94e-5, ap: 15.75, bp: 0.0747, d2: 0, g: 0, h: 2.077 },
  },
  {
    name: 'llama-3.1-70b-fp4/b200-tp2',
    engine: 'vLLM, version not stated',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 2.8, p90: 3.8 },
    law: { a: 9.328, b: 0.02425, c: 1.232e-5, ap: 9.328, bp: 0.03431, d2: 0, g: 0, h: 11.31 },
  },
  {
    name: 'llama-3.1-70b-fp8/b200-tp2',
    engine: 'vLLM, version not stated',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 2.8, p90: 6.6 },
    law: { a: 10.05, b: 0.0266, c: 1.293e-5, ap: 10.05, bp: 0.04861, d2: 0, g: 0, h: 10.51 },
  },
  {
    name: 'llama-3.1-70b-fp8/b200-tp4',
    engine: 'vLLM, version not stated',
    quality: 'fair',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 9.3, p90: 21.1 },
    law: { a: 7.798, b: 0.05456, c: 6.231e-7, ap: 7.798, bp: 0.03257, d2: 0, g: 0, h: 45.59 },
  },
  {
    name: 'llama-3.1-70b-fp8/h100-tp2',
    engine: 'vLLM, version not stated',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 1.5, p90: 5.6 },
    law: { a: 16.66, b: 0.03828, c: 6.686e-5, ap: 16.66, bp: 0.07547, d2: 0, g: 0, h: 1.966 },
  },
  {
    name: 'llama-3.1-70b-fp8/h100-tp4',
    engine: 'vLLM, version not stated',
    quality: 'fair',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 3.4, p90: 21.9 },
    law: { a: 11.15, b: 0.05177, c: 3.348e-5, ap: 11.15, bp: 0.0452, d2: 0, g: 0, h: 1.746 },
  },
  {
    name: 'llama-3.1-70b-fp8/h100-tp8',
    engine: 'vLLM, version not stated',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 2.2, p90: 11 },
    law: { a: 8.995, b: 0.0609, c: 1.309e-5, ap: 8.995, bp: 0.03167, d2: 0, g: 0, h: 4.506 },
  },
  {
    name: 'llama-3.1-70b-fp8/h200-tp1',
    engine: 'vLLM, version not stated',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 2.3, p90: 11 },
    law: { a: 20.22, b: 0.0639, c: 9.345e-5, ap: 20.22, bp: 0.1319, d2: 0, g: 0, h: 2.575 },
  },
  {
    name: 'llama-3.1-70b-fp8/h200-tp2',
    engine: 'vLLM, version not stated',
    quality: 'fair',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 2.1, p90: 16.3 },
    law: { a: 13.32, b: 0.0364, c: 4.345e-5, ap: 13.32, bp: 0.07614, d2: 0, g: 0, h: 2.309 },
  },
  {
    name: 'llama-3.1-70b-fp8/h200-tp4',
    engine: 'vLLM, version not stated',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 1.2, p90: 11.7 },
    law: { a: 9.314, b: 0.04691, c: 2.224e-5, ap: 9.314, bp: 0.04873, d2: 0, g: 0, h: 3.453 },
  },
  {
    name: 'llama-3.1-70b-fp8/h200-tp8',
    engine: 'vLLM, version not stated',
    quality: 'fair',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 3, p90: 7 },
    law: { a: 7.89, b: 0.04907, c: 7.924e-6, ap: 7.89, bp: 0.03118, d2: 0, g: 0, h: 12.22 },
  },
  {
    name: 'llama-3.1-8b/h100-tp1',
    engine: 'vLLM, version not stated',
    quality: 'fair',
    source: guidellmSweeps,
    heldOut: { leftOut: 'shape', median: 6, p90: 16 },
    law: { a: 6.17, b: 0.0348, c: 4.834e-5, ap: 6.17, bp: 0.02148, d2: 6.042e-7, g: 0, h: 7.786 },
    kvTokens: 420000,
  },
  {
    name: 'llama-3.1-8b/h100-tp1@law7g',
    engine: 'vLLM, version not stated',
    quality: 'fair',
    source: guidellmSweeps,
    heldOut: { leftOut: 'shape', median: 5, p90: 8 },
    law: { a: 6.405, b: 0.01569, c: 5.607e-5, ap: 6.405, bp: 0.02008, d2: 7.919e-7, g: 0.02569, h: 7.573 },
    kvTokens: 420000,
  },
  {
    name: 'llama-3.1-8b-fp8/h200-tp1',
    engine: 'vLLM 0.10.1.1',
    quality: 'fair',
    source: dynamo,
    heldOut: { leftOut: 'point', median: 3.3, p90: 19.5 },
    law: { a: 4.452, b: 0.02224, c: 3.16e-5, ap: 18.55, bp: 0.01411, d2: 4.919e-7, g: 0, h: 0 },
    kvTokens: 945029,
  },
  {
    name: 'llama-3.3-70b-fp8/h100-tp8',
    engine: 'vLLM 0.10.1.1',
    quality: 'fair',
    source: dynamo,
    heldOut: { leftOut: 'point', median: 2.8, p90: 12.9 },
    law: { a: 8.883, b: 0.05021, c: 5.925e-5, ap: 15.59, bp: 0.03466, d2: 3.815e-7, g: 0, h: 0 },
  },
  {
    name: 'minimax-m2.5-fp4/b200-tp2',
    engine: 'vLLM 0.19.0',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'concurrency', median: 1.8, p90: 3.9 },
    law: { a: 6.239, b: 0.03156, c: 5.453e-6, ap: 6.239, bp: 0.01572, d2: 0, g: 0, h: 27.2 },
    mixtureOfExperts: { x: 6.646, kappa: 0.03125 },
  },
  {
    name: 'minimax-m2.5-fp4/b200-tp2@nightly',
    engine: 'vLLM nightly-5b8c30d62b754b57',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'concurrency', median: 3.1, p90: 3.7 },
    law: { a: 6.323, b: 0.06148, c: 4.979e-7, ap: 6.323, bp: 0.0181, d2: 0, g: 0, h: 27.31 },
    mixtureOfExperts: { x: 7.213, kappa: 0.03125 },
  },
  {
    name: 'minimax-m2.5-fp8/b200-tp2',
    engine: 'vLLM 0.19.0',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'concurrency', median: 2.2, p90: 3.4 },
    law: { a: 7.662, b: 0.05333, c: 1.258e-6, ap: 7.662, bp: 0.02189, d2: 0, g: 0, h: 35 },
    mixtureOfExperts: { x: 11.34, kappa: 0.03125 },
  },
  {
    name: 'minimax-m2.5-fp8/b200-tp2@0.17.0',
    engine: 'vLLM 0.17.0',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 1.8, p90: 7 },
    law: { a: 7.666, b: 0.01112, c: 7.149e-6, ap: 7.666, bp: 0.03785, d2: 0, g: 0, h: 8.979 },
    mixtureOfExperts: { x: 18.47, kappa: 0.03125 },
  },
  {
    name: 'minimax-m2.5-fp4/b200-tp4',
    engine: 'vLLM 0.19.0',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'concurrency', median: 3, p90: 4.9 },
    law: { a: 5.107, b: 0.02948, c: 1.992e-6, ap: 5.107, bp: 0.01216, d2: 0, g: 0, h: 28.99 },
    mixtureOfExperts: { x: 4.925, kappa: 0.03125 },
  },
  {
    name: 'minimax-m2.5-fp8/b200-tp4',
    engine: 'vLLM 0.19.0',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'concurrency', median: 1.3, p90: 5.5 },
    law: { a: 7.332, b: 0.03851, c: 3.94e-6, ap: 7.332, bp: 0.01276, d2: 0, g: 0, h: 42 },
    mixtureOfExperts: { x: 4.468, kappa: 0.03125 },
  },
  {
    name: 'minimax-m2.5-fp4/b300-tp2',
    engine: 'vLLM 0.19.0',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'concurrency', median: 2, p90: 2.4 },
    law: { a: 6.092, b: 0.02838, c: 5.491e-6, ap: 6.092, bp: 0.01494, d2: 0, g: 0, h: 19.96 },
    mixtureOfExperts: { x: 7.047, kappa: 0.03125 },
  },
  {
    name: 'minimax-m2.5-fp8/b300-tp2',
    engine: 'vLLM 0.19.0',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'concurrency', median: 1.3, p90: 3.2 },
    law: { a: 7.445, b: 0.04644, c: 5.393e-6, ap: 7.445, bp: 0.01799, d2: 0, g: 0, h: 44.82 },
    mixtureOfExperts: { x: 12.51, kappa: 0.03125 },
  },
  {
    name: 'minimax-m2.5-fp4/b300-tp4',
    engine: 'vLLM 0.19.0',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'concurrency', median: 1.1, p90: 6.4 },
    law: { a: 5.126, b: 0.02614, c: 3.911e-6, ap: 5.126, bp: 0.01103, d2: 0, g: 0, h: 20.83 },
    mixtureOfExperts: { x: 5.305, kappa: 0.03125 },
  },
  {
    name: 'minimax-m2.5-fp8/b300-tp4',
    engine: 'vLLM 0.19.0',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'concurrency', median: 1.2, p90: 6.8 },
    law: { a: 7.042, b: 0.03051, c: 5.151e-6, ap: 7.042, bp: 0.01404, d2: 0, g: 0, h: 27.18 },
    mixtureOfExperts: { x: 5.612, kappa: 0.03125 },
  },
  {
    name: 'minimax-m2.5-fp8/h100-tp4',
    engine: 'vLLM 0.18.0',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 2.5, p90: 9.6 },
    law: { a: 8.656, b: 0.006339, c: 1.425e-5, ap: 8.656, bp: 0.0302, d2: 0, g: 0, h: 3.939 },
    mixtureOfExperts: { x: 15.75, kappa: 0.03125 },
  },
  {
    name: 'minimax-m2.5-fp8/h200-tp4',
    engine: 'vLLM 0.16.0',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 2, p90: 5.6 },
    law: { a: 11.85, b: 0.1883, c: 1.216e-5, ap: 11.85, bp: 0.03464, d2: 0, g: 0, h: 13.45 },
  },
  {
    name: 'minimax-m2.5-fp8/h200-tp8',
    engine: 'vLLM 0.18.0',
    quality: 'fair',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 2.5, p90: 18 },
    law: { a: 7.042, b: 0.06032, c: 7.768e-7, ap: 7.042, bp: 0.01883, d2: 0, g: 0, h: 40.49 },
    mixtureOfExperts: { x: 6.773, kappa: 0.03125 },
  },
  {
    name: 'qwen3-235b-a22b-fp8/h200-tp4',
    engine: 'vLLM 0.12.0',
    quality: 'good',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 3.3, p90: 7.3 },
    law: { a: 30.89, b: 0.05634, c: 8.022e-6, ap: 30.89, bp: 0.02038, d2: 0, g: 0, h: 6.756 },
    mixtureOfExperts: { x: 0.9813, kappa: 0.0625 },
  },
  {
    name: 'qwen3-32b/h100-tp8',
    engine: 'vLLM 0.12.0',
    quality: 'fair',
    source: aiconfigurator,
    heldOut: { leftOut: 'shape', median: 7.7, p90: 19.8 },
    law: { a: 7.545, b: 0.06932, c: 1.456e-5, ap: 7.545, bp: 0.0162, d2: 0, g: 0, h: 1.012 },
  },
]
