// Arbitrary small problems over all roles, classes, pools, priorities, bounds and restrictions. Whole numbers,
// so that ties and exactly full replicas are frequent.
import fc from 'fast-check'
import type { MixClass, MixProblem, MixVariant } from '../../src/core/optimize/mix.ts'

const classes = fc
  .array(
    fc.record({
      priority: fc.integer({ min: 0, max: 2 }),
      requestsPerSecond: fc.integer({ min: 0, max: 12 }),
      tolerant: fc.boolean(),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((made) => made.map((demand, index): MixClass => ({ id: `c${index}`, ...demand })))

const variants = fc
  .array(
    fc
      .record({
        role: fc.constantFrom('unified', 'unified', 'prefill', 'decode'),
        transferGroup: fc.constantFrom('one', 'one', 'two'),
        pool: fc.constantFrom('a', 'b'),
        gpusPerReplica: fc.integer({ min: 1, max: 2 }),
        costPerHour: fc.integer({ min: 1, max: 9 }),
        min: fc.constantFrom(0, 0, 0, 1, 3),
        more: fc.integer({ min: 0, max: 3 }),
        current: fc.integer({ min: 0, max: 4 }),
        startCost: fc.constantFrom(0, 0, 0.5, 2),
        maxShare: fc.constantFrom(1, 1, 1, 0.5),
      })
      .map(({ more, ...made }) => ({ ...made, max: made.min + more, minShare: 0 })),
    { minLength: 1, maxLength: 4 },
  )
  .map((made) =>
    made.map(
      ({ transferGroup, ...variant }, index): MixVariant => ({
        id: `v${index}`,
        ...variant,
        ...(variant.role === 'unified' ? {} : { transferGroup }),
      }),
    ),
  )

/** A problem whose capacities do not depend on counts. */
export const mixes: fc.Arbitrary<MixProblem> = fc
  .record({
    classes,
    variants,
    gpus: fc.tuple(fc.integer({ min: 0, max: 12 }), fc.constantFrom(2, 5, 1000)),
    budget: fc.constantFrom(undefined, undefined, 8, 20),
    surviveReplicas: fc.constantFrom(0, 0, 0, 1),
    hpaTolerance: fc.constantFrom(0, 0, 0.1, 0.4),
    rates: fc.array(fc.constantFrom(0, 1, 2, 3, 4, 6, 10), { minLength: 12, maxLength: 12 }),
  })
  .map(({ gpus, budget, rates, ...made }) => ({
    ...made,
    pools: [
      { name: 'a', gpus: gpus[0] },
      { name: 'b', gpus: gpus[1] },
    ],
    ...(budget === undefined ? {} : { budgetPerHour: budget }),
    capacity: capacityOf(rates),
  }))

/** Rates by the numbers in the ids, so that a permuted problem keeps them. */
function capacityOf(rates: readonly number[]): MixProblem['capacity'] {
  return Object.assign(
    (classId: string, variantId: string): number =>
      rates[Number(classId.slice(1)) * 4 + Number(variantId.slice(1))] ?? 0,
    // Shown by fast-check when a property fails.
    { toString: () => `rates ${rates.join(' ')}` },
  )
}
