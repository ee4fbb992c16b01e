import { describe, expect, it } from 'vitest'
import { decodeStep } from '../../src/core/capacity/iteration.ts'
import type { Profile } from '../../src/core/profile.ts'
import { acceleratorNamed } from '../../src/core/profiles/accelerators.ts'
import { type MeasuredProfile, measuredProfiles } from '../../src/core/profiles/measured.ts'
import { parseModelName, sizeOf } from '../../src/core/profiles/models.ts'
import { fits, roofline } from '../../src/core/profiles/roofline.ts'

function estimateFor({ name }: MeasuredProfile): Profile {
  const [model = '', on = ''] = (name.split('@')[0] ?? '').split('/')
  const [type = '', count = ''] = on.split('-tp')
  const parsed = parseModelName(model)
  const size = sizeOf(parsed)
  const accelerator = acceleratorNamed(type)
  if (size === undefined || accelerator === undefined) throw new Error(name)
  return roofline('estimate', {
    size,
    precision: parsed.precision ?? 'bf16',
    accelerator,
    count: Number(count),
  })
}

const fitted = measuredProfiles.map((measured) => {
  const profile: Profile = {
    name: measured.name,
    quality: measured.quality,
    source: measured.source,
    ...measured.law,
    ...(measured.mixtureOfExperts === undefined ? {} : { mixtureOfExperts: measured.mixtureOfExperts }),
  }
  return { name: measured.name, measured: profile, estimate: estimateFor(measured) }
})
const dense = fitted.filter(({ estimate }) => estimate.mixtureOfExperts === undefined)
const sparse = fitted.filter(({ estimate }) => estimate.mixtureOfExperts !== undefined)

/** Estimate over measurement: a decode step of n sequences of 2,000 tokens, and a prompt of 1,000 tokens. */
function ratios({
  measured,
  estimate,
}: {
  readonly measured: Profile
  readonly estimate: Profile
}): number[] {
  const steps = [1, 32, 128].map((n) => decodeStep(estimate, n, 2000 * n) / decodeStep(measured, n, 2000 * n))
  const prompt = ({ bp, d2 }: Profile): number => 1000 * bp + 1e6 * d2
  return [...steps, prompt(estimate) / prompt(measured)]
}

describe('roofline estimate', () => {
  it('is within a factor of two of every measured dense model, in steps and in prompts', () => {
    for (const one of dense) {
      for (const ratio of ratios(one)) {
        expect(ratio, one.name).toBeGreaterThan(0.5)
        expect(ratio, one.name).toBeLessThan(2)
      }
    }
  })

  it('is within a factor of four of every measured mixture of experts', () => {
    for (const one of sparse) {
      for (const ratio of ratios(one)) {
        expect(ratio, one.name).toBeGreaterThan(0.25)
        expect(ratio, one.name).toBeLessThan(4)
      }
    }
  })

  it('leaves the KV cache that engines report', () => {
    // Reported: 420,000 and 945,029 tokens (measured.ts), and 224,133 for Llama-70B-FP8 on two H100.
    const cache = (model: string, type: string, count: number): number | undefined => {
      const parsed = parseModelName(model)
      const size = sizeOf(parsed)
      const accelerator = acceleratorNamed(type)
      if (size === undefined || accelerator === undefined) throw new Error(model)
      const setup = { size, precision: parsed.precision ?? 'bf16', accelerator, count }
      return roofline('estimate', setup).kvTokens
    }
    expect((cache('llama-3.1-8b', 'h100', 1) ?? 0) / 420_000).toBeCloseTo(1, 1)
    expect((cache('llama-3.1-8b-fp8', 'h200', 1) ?? 0) / 945_029).toBeCloseTo(1, 1)
    expect((cache('llama-3.3-70b-fp8', 'h100', 2) ?? 0) / 224_133).toBeCloseTo(1, 2)
  })

  it('knows what does not fit', () => {
    const size = sizeOf(parseModelName('llama-3.1-70b'))
    const accelerator = acceleratorNamed('h100')
    if (size === undefined || accelerator === undefined) throw new Error('unknown')
    expect(fits({ size, precision: 'bf16', accelerator, count: 1 })).toBe(false)
    expect(fits({ size, precision: 'bf16', accelerator, count: 4 })).toBe(true)
  })
})

describe('names', () => {
  it.each([
    ['meta-llama/Llama-3.3-70B-Instruct', 'llama-3.1-70b', undefined],
    ['llama-3.3-70b-fp8', 'llama-3.1-70b', 'fp8'],
    ['hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4', 'llama-3.1-8b', 'int4'],
    ['RedHatAI/Llama-3.1-8B-Instruct-quantized.w8a8', 'llama-3.1-8b', 'fp8'],
    ['Qwen/Qwen3-30B-A3B-Thinking-2507-FP8', 'qwen3-30b-a3b', 'fp8'],
    ['mistralai/Mixtral-8x7B-Instruct-v0.1', 'mixtral-8x7b', undefined],
    ['nvidia/DeepSeek-R1-NVFP4', 'deepseek-r1', 'fp4'],
  ])('of models: %s is %s in %s', (name, base, precision) => {
    expect(parseModelName(name)).toEqual({ base, ...(precision === undefined ? {} : { precision }) })
  })

  it.each([
    ['h100', 'h100'],
    ['NVIDIA-H100-80GB-HBM3', 'h100'],
    ['NVIDIA-H100-PCIe', 'h100-pcie'],
    ['nvidia-tesla-a100', 'a100-40gb'],
    ['NVIDIA-A100-SXM4-80GB', 'a100-80gb'],
    ['NVIDIA-A10G', 'a10g'],
    ['nvidia-a10', 'a10'],
    ['NVIDIA-L4', 'l4'],
    ['nvidia-l40s', 'l40s'],
    ['Tesla-T4', 't4'],
    ['NVIDIA-GH200-480GB', 'gh200'],
    ['NVIDIA-B200', 'b200'],
    ['AMD_Instinct_MI300X_OAM', 'mi300x'],
  ])('of accelerators: %s is %s', (name, canonical) => {
    expect(acceleratorNamed(name)?.name).toBe(canonical)
  })
})
