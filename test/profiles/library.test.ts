import { describe, expect, it } from 'vitest'
import type { FoundProfile, Profile } from '../../src/core/profile.ts'
import { resolveFrom } from '../../src/core/profiles/library.ts'
import { measuredProfiles } from '../../src/core/profiles/measured.ts'

const resolve = resolveFrom(measuredProfiles)

function find(model: string, acceleratorType: string, acceleratorCount: number): FoundProfile {
  return resolve({ model, acceleratorType, acceleratorCount })
}

function profile(found: FoundProfile): Profile {
  if (found.kind === 'notFound') throw new Error(`not found; nearest ${found.nearest.join(', ')}`)
  return found.profile
}

describe('profile library', () => {
  it('finds every entry by its name, with all that the entry says', () => {
    for (const { name, law, mixtureOfExperts, quality } of measuredProfiles) {
      const found = profile(resolve({ name, model: 'any', acceleratorType: 'any', acceleratorCount: 1 }))
      expect(found).toMatchObject({ name, quality, ...law })
      expect(found.mixtureOfExperts).toEqual(mixtureOfExperts)
      expect(found.kvTokens).toBeGreaterThan(100_000)
    }
  })

  it('has no name twice', () => {
    expect(new Set(measuredProfiles.map(({ name }) => name)).size).toBe(measuredProfiles.length)
  })

  it('marks as good only what predicts unseen runs within 5 % (p90 15 %), and as fair within 10 % (30 %)', () => {
    for (const { name, quality, heldOut } of measuredProfiles) {
      const [median, p90] = quality === 'good' ? [5, 15] : [10, 30]
      expect(heldOut.median, name).toBeLessThanOrEqual(median ?? 0)
      expect(heldOut.p90, name).toBeLessThanOrEqual(p90 ?? 0)
    }
  })

  it.each([
    ['RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic', 'NVIDIA-H100-80GB-HBM3', 2, 'llama-3.1-70b-fp8/h100-tp2'],
    ['meta-llama/Meta-Llama-3.1-8B-Instruct', 'h100_sxm', 1, 'llama-3.1-8b/h100-tp1'],
    ['nvidia/Llama-3.1-8B-Instruct-FP8', 'NVIDIA-H200', 1, 'llama-3.1-8b-fp8/h200-tp1'],
    ['openai/gpt-oss-120b', 'nvidia-h200-141gb', 2, 'gpt-oss-120b-fp4/h200-tp2'],
    ['Qwen/Qwen3-235B-A22B-Instruct-2507-FP8', 'h200', 4, 'qwen3-235b-a22b-fp8/h200-tp4'],
    ['moonshotai/Kimi-K2.5', 'h200', 8, 'kimi-k2.5-int4/h200-tp8'],
  ])('finds %s on %s x %i as %s', (model, type, count, name) => {
    expect(profile(find(model, type, count)).name).toBe(name)
  })

  it('finds by a name that a later release of the same architecture is known under', () => {
    const found = resolve({
      name: 'llama-3.3-70b-fp8/h100-tp2',
      model: 'meta-llama/Llama-3.3-70B-Instruct',
      acceleratorType: 'h100',
      acceleratorCount: 2,
    })
    expect(profile(found)).toMatchObject({ name: 'llama-3.1-70b-fp8/h100-tp2', quality: 'good' })
  })

  it('takes the precision that fits where the model names none, and calls a fit in another one fair', () => {
    // 141 GB of bf16 weights leave two H100 no cache, but fit on four.
    const model = 'meta-llama/Llama-3.3-70B-Instruct'
    expect(profile(find(model, 'h100', 2))).toMatchObject({
      name: 'llama-3.1-70b-fp8/h100-tp2',
      quality: 'good',
    })
    expect(profile(find(model, 'h100', 4))).toMatchObject({
      name: 'llama-3.1-70b-fp8/h100-tp4',
      quality: 'fair',
    })
  })

  it('estimates what nobody has measured, and marks it as a guess', () => {
    expect(profile(find('meta-llama/Llama-3.1-70B-Instruct-AWQ', 'h100', 2))).toMatchObject({
      name: 'llama-3.1-70b-int4/h100-tp2',
      quality: 'guess',
      source: 'estimate from 70.6 billion parameters in int4 on 2 x h100',
    })
    const sparse = profile(find('Qwen/Qwen3-30B-A3B-Instruct-2507', 'l40s', 4))
    expect(sparse).toMatchObject({ name: 'qwen3-30b-a3b/l40s-tp4', quality: 'guess' })
    expect(sparse.mixtureOfExperts?.kappa).toBeCloseTo(1 / 16, 12)
    expect(profile(find('acme/Acme-8x7B-Chat', 'mi300x', 1)).mixtureOfExperts?.kappa).toBe(0.25)
  })

  it('finds nothing for a model without a size, an unknown GPU, a slice of one, or weights that do not fit', () => {
    for (const found of [
      find('acme/secret', 'h100', 1),
      find('acme/secret-7b', 'abacus', 1),
      find('acme/secret-7b', 'NVIDIA-A100-SXM4-80GB-MIG-1g.10gb', 1),
      find('meta-llama/Llama-3.1-405B', 'l4', 1),
    ]) {
      expect(found.kind).toBe('notFound')
    }
  })

  it('does not estimate for a name that it does not know, but names the nearest', () => {
    const found = resolve({
      name: 'llama-3.3-70b-fp8/h100-tp3',
      model: 'meta-llama/Llama-3.3-70B-Instruct',
      acceleratorType: 'h100',
      acceleratorCount: 3,
    })
    if (found.kind === 'found') throw new Error(found.profile.name)
    expect(found.nearest).toContain('llama-3.1-70b-fp8/h100-tp2')
    expect(found.nearest.length).toBeLessThanOrEqual(5)
  })
})
