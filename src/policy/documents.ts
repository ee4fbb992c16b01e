// All documents of all files side by side, and how a check points at two places in them.
import type { FleetDocument, PolicyDocument } from './decode.ts'
import type { PolicyProblem } from './problem.ts'
import type { StatedClass, StatedVariant } from './schema.ts'
import type { Path, PolicyTree } from './tree.ts'

export interface Documents {
  readonly policies: readonly PolicyDocument[]
  readonly fleets: readonly FleetDocument[]
  /** Every document of every file was read whole: what is not there is nowhere. */
  readonly intact: boolean
}

/** Where something stands. */
export interface Spot {
  readonly tree: PolicyTree
  readonly path: Path
}

export interface PlacedVariant extends Spot {
  readonly namespace: string
  readonly variant: StatedVariant
}

export interface PlacedPool extends Spot {
  readonly name: string
  readonly gpus?: number | undefined
}

export function problem(at: Spot, message: string, against?: Spot): PolicyProblem {
  const { place, value, sourceLine } = at.tree.locate(at.path, 'value')
  return {
    ...place,
    message,
    ...(value === undefined || value.startsWith('a ') ? {} : { value }),
    ...(against === undefined ? {} : { against: against.tree.locate(against.path, 'value').place }),
    sourceLine,
  }
}

/** The same spot, deeper. */
export function within(spot: Spot, ...keys: Path): Spot {
  return { tree: spot.tree, path: [...spot.path, ...keys] }
}

export function variantsOf(policy: PolicyDocument): readonly PlacedVariant[] {
  return policy.stated.spec.variants.map((variant, index) => ({
    tree: policy.tree,
    path: ['spec', 'variants', index],
    namespace: policy.stated.metadata.namespace,
    variant,
  }))
}

export function poolsOf(documents: Documents): readonly PlacedPool[] {
  return [...documents.fleets, ...documents.policies].flatMap(({ tree, stated }) =>
    stated.spec.pools.map((pool, index) => ({ tree, path: ['spec', 'pools', index], ...pool })),
  )
}

export function poolOf(variant: StatedVariant): string {
  return variant.pool ?? variant.accelerator.type
}

export function mayServe(variant: StatedVariant, trafficClass: StatedClass): boolean {
  return variant.classes === undefined || variant.classes.includes(trafficClass.name)
}

/** What `found` makes of each item whose key was seen before, and of the first item with that key. */
export function repeated<Item, Found>(
  items: readonly Item[],
  keyOf: (item: Item) => string | undefined,
  found: (item: Item, first: Item) => Found,
): readonly Found[] {
  const firsts = new Map<string, Item>()
  return items.flatMap((item) => {
    const key = keyOf(item)
    if (key === undefined) return []
    const first = firsts.get(key)
    if (first !== undefined) return [found(item, first)]
    firsts.set(key, item)
    return []
  })
}
