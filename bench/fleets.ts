// Synthetic models and fleets of any size, from a seed: classes and variants of every role on GPU types whose
// prices and speeds are spread as rented ones are. Nothing here is measured; it exists to be solved.
import type { MixClass, MixPool, MixProblem, MixVariant } from '../src/core/optimize/mix.ts'

export interface Fleet {
  readonly problems: readonly MixProblem[]
  readonly pools: readonly MixPool[]
}

/** Uniform in [0, 1), the same sequence for the same seed (mulberry32). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

const types = [
  { name: 'l4', cost: 0.8, speed: 0.6 },
  { name: 'l40s', cost: 1.9, speed: 1.6 },
  { name: 'a100', cost: 3.2, speed: 2.6 },
  { name: 'h100', cost: 4.9, speed: 5 },
  { name: 'h200', cost: 6.1, speed: 6.4 },
]

/** One model: an interactive and a tolerant class; roles in turn unified, tolerant only, prefill, decode. */
export function model(id: string, variants: number, region: string, random: () => number): MixProblem {
  const classes: readonly MixClass[] = [
    {
      id: `${id}/chat`,
      priority: Math.floor(random() * 3),
      requestsPerSecond: 2 + 38 * random(),
      tolerant: false,
    },
    { id: `${id}/batch`, priority: 5, requestsPerSecond: 1 + 14 * random(), tolerant: true },
  ]
  const rates = new Map<string, number>()
  const made = Array.from({ length: variants }, (_, index): MixVariant => {
    const type = types[Math.floor(random() * types.length)] ?? { name: 'l4', cost: 0.8, speed: 0.6 }
    const gpus = 2 ** Math.floor(random() * 3)
    const slot = index % 8
    const role = slot === 5 || slot === 6 ? 'prefill' : slot === 7 || slot === 4 ? 'decode' : 'unified'
    const tolerantOnly = slot === 3
    const name = `${id}/v${index}`
    const rate = type.speed * gpus ** 0.9 * (0.7 + 0.6 * random()) * (role === 'unified' ? 1 : 2.1)
    if (!tolerantOnly) rates.set(`${id}/chat ${name}`, rate)
    rates.set(`${id}/batch ${name}`, rate * (tolerantOnly ? 1.4 : 0.8))
    const costPerHour = Math.round(type.cost * gpus * (0.9 + 0.2 * random()) * 100) / 100
    return {
      id: name,
      role,
      ...(role === 'unified' ? {} : { transferGroup: 'nixl' }),
      pool: `${region}/${type.name}`,
      gpusPerReplica: gpus,
      costPerHour,
      min: slot === 0 ? 1 : 0,
      max: 60,
      current: Math.floor(random() * 5),
      startCost: 0.05 * costPerHour,
      maxShare: 1,
      minShare: 0,
    }
  })
  return {
    classes,
    variants: made,
    pools: [],
    surviveReplicas: 0,
    hpaTolerance: 0,
    capacity: (classId, variantId) => rates.get(`${classId} ${variantId}`) ?? 0,
  }
}

/** Every variant of `problem` in so many copies that differ in their names alone: `m/v0-0`, `m/v0-1`. */
export function copied(problem: MixProblem, copies: number): MixProblem {
  return {
    ...problem,
    variants: problem.variants.flatMap((one) =>
      Array.from({ length: copies }, (_, copy) => ({ ...one, id: `${one.id}-${copy}` })),
    ),
    capacity: (classId, id, replicas) => problem.capacity(classId, id.replace(/-\d+$/, ''), replicas),
  }
}

/** Regions have five pools each; models take turns. `gpus` says what a pool of a region holds. */
export function fleet(
  models: number,
  variants: number,
  regions: number,
  seed: number,
  gpus: (region: number, type: number) => number,
): Fleet {
  const random = uniform(seed)
  return {
    problems: Array.from({ length: models }, (_, index) =>
      model(`m${String(index).padStart(4, '0')}`, variants, `r${index % regions}`, random),
    ),
    pools: Array.from({ length: regions }, (_, region) =>
      types.map((type, index) => ({ name: `r${region}/${type.name}`, gpus: gpus(region, index) })),
    ).flat(),
  }
}

/** GPUs that these counts take from each pool. */
export function usage(
  problems: readonly MixProblem[],
  counts: (variantId: string) => number,
): ReadonlyMap<string, number> {
  const used = new Map<string, number>()
  for (const problem of problems) {
    for (const variant of problem.variants) {
      const taken = variant.gpusPerReplica * counts(variant.id)
      used.set(variant.pool, (used.get(variant.pool) ?? 0) + taken)
    }
  }
  return used
}
