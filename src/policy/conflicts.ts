// Statements that contradict each other, within a file or between files: each is fine alone, and the message
// names both places. Nothing here depends on what is absent, so broken documents do not hide these.
import {
  type Documents,
  type PlacedPool,
  type PlacedVariant,
  poolOf,
  poolsOf,
  problem,
  repeated,
  type Spot,
  variantsOf,
  within,
} from './documents.ts'
import { indistinctAtGateway } from './gatewayProblems.ts'
import { podPattern } from './podPattern.ts'
import type { PolicyProblem } from './problem.ts'
import { scheduleConflicts } from './scheduleProblems.ts'

export function conflicts(documents: Documents): readonly PolicyProblem[] {
  const variants = documents.policies.flatMap(variantsOf)
  return [
    ...sameNames(documents),
    ...sharedTargets(variants),
    ...claimedPods(variants),
    ...variants.flatMap(ownLimits),
    ...documents.policies.flatMap(backlogOfInteractive),
    ...documents.policies.flatMap(indistinctAtGateway),
    ...documents.policies.flatMap(scheduleConflicts),
    ...inventories(documents),
    ...poolBounds(variants, poolsOf(documents)),
    ...fleetTwice(documents),
  ]
}

function sameNames(documents: Documents): readonly PolicyProblem[] {
  const policies = repeated(
    documents.policies,
    ({ stated }) => `${stated.metadata.namespace}/${stated.metadata.name}`,
    (policy, first) =>
      problem(nameOf(policy), 'is the name of another policy of its namespace', nameOf(first)),
  )
  const inside = documents.policies.flatMap(({ tree, stated }) =>
    (['classes', 'variants'] as const).flatMap((list) =>
      repeated(
        stated.spec[list].map(({ name }, index) => ({ name, tree, path: ['spec', list, index, 'name'] })),
        ({ name }) => name,
        (item, first) =>
          problem(item, `is the name of another ${list === 'classes' ? 'class' : 'variant'}`, first),
      ),
    ),
  )
  return [...policies, ...inside]
}

function nameOf(document: { readonly tree: Spot['tree'] }): Spot {
  return { tree: document.tree, path: ['metadata', 'name'] }
}

function sharedTargets(variants: readonly PlacedVariant[]): readonly PolicyProblem[] {
  return repeated(
    variants,
    ({ namespace, variant: { scaleTarget } }) =>
      [namespace, scaleTarget.apiVersion.split('/')[0], scaleTarget.kind, scaleTarget.name].join(' '),
    (one, first) =>
      problem(
        within(one, 'scaleTarget', 'name'),
        'is scaled by another variant already',
        within(first, 'scaleTarget', 'name'),
      ),
  )
}

function claimedPods(variants: readonly PlacedVariant[]): readonly PolicyProblem[] {
  const labels = repeated(
    variants,
    ({ namespace, variant: { pods } }) =>
      typeof pods === 'object' && 'label' in pods ? [namespace, pods.label, pods.value].join(' ') : undefined,
    (one, first) =>
      problem(
        within(one, 'pods', 'value'),
        'claims the pods of another variant',
        within(first, 'pods', 'value'),
      ),
  )
  const patterns = variants.flatMap((one) => {
    const { pods } = one.variant
    if (typeof pods === 'string' || !('pattern' in pods)) return []
    const pattern = podPattern(pods.pattern)
    return variants.flatMap((other) => {
      if (other === one || other.namespace !== one.namespace) return []
      const claimed = typicalPods(other).find(
        (pod) => pattern.test(pod) && !winsPod(other, pods.pattern, pod),
      )
      if (claimed === undefined) return []
      const message = `must not match pods of variant ${other.variant.name}, such as ${claimed}`
      return [problem(within(one, 'pods', 'pattern'), message, within(other, 'scaleTarget', 'name'))]
    })
  })
  const samePatterns = repeated(
    variants,
    ({ namespace, variant: { pods } }) =>
      typeof pods === 'object' && 'pattern' in pods ? [namespace, pods.pattern].join(' ') : undefined,
    (one, first) =>
      problem(
        within(one, 'pods', 'pattern'),
        'claims the pods of another variant',
        within(first, 'pods', 'pattern'),
      ),
  )
  return [...labels, ...patterns, ...samePatterns]
}

/** Of two patterns that match a pod, the longer one decides whose it is. */
function winsPod({ variant: { pods } }: PlacedVariant, against: string, pod: string): boolean {
  if (typeof pods === 'string' || !('pattern' in pods)) return false
  return pods.pattern.length > against.length && podPattern(pods.pattern).test(pod)
}

/** What Kubernetes would call the pods of the scale target: before a random suffix, names are cut. */
function typicalPods({ variant: { scaleTarget } }: PlacedVariant): readonly string[] {
  const { kind, name } = scaleTarget
  if (kind === 'Deployment') return [`${`${name}-6d4f9c7b8d-`.slice(0, 58)}x2x9z`]
  return [`${name.slice(0, 58)}-0`, `${name.slice(0, 58)}-0-1`]
}

function ownLimits(one: PlacedVariant): readonly PolicyProblem[] {
  const { replicas, minShare, maxShare, engine } = one.variant
  const problems: PolicyProblem[] = []
  if (replicas.min > replicas.max)
    problems.push(
      problem(
        within(one, 'replicas', 'max'),
        `must be at least min, which is ${replicas.min}`,
        within(one, 'replicas', 'min'),
      ),
    )
  if (minShare > maxShare)
    problems.push(problem(within(one, 'minShare'), 'must not be above maxShare', within(one, 'maxShare')))
  const { maxNumSeqs, maxNumBatchedTokens } = engine
  if (maxNumSeqs !== undefined && maxNumBatchedTokens !== undefined && maxNumBatchedTokens < maxNumSeqs)
    problems.push(
      problem(
        within(one, 'engine', 'maxNumBatchedTokens'),
        `must be at least maxNumSeqs, which is ${maxNumSeqs}: each running sequence takes a token of a step`,
        within(one, 'engine', 'maxNumSeqs'),
      ),
    )
  return problems
}

function backlogOfInteractive({ tree, stated }: Documents['policies'][number]): readonly PolicyProblem[] {
  return stated.spec.classes.flatMap((trafficClass, index) => {
    if (trafficClass.slo === undefined || trafficClass.demand?.backlogTokens === undefined) return []
    const at: Spot = { tree, path: ['spec', 'classes', index] }
    const message =
      'is for latency-tolerant classes: interactive work is not queued, ask for requestsPerSecond'
    return [problem(within(at, 'demand', 'backlogTokens'), message, within(at, 'slo'))]
  })
}

function inventories(documents: Documents): readonly PolicyProblem[] {
  const stated = poolsOf(documents).filter((pool) => pool.gpus !== undefined)
  return repeated(
    stated,
    (pool) => pool.name,
    (pool, first) => ({ pool, first }),
  )
    .filter(({ pool, first }) => pool.gpus !== first.gpus)
    .map(({ pool, first }) =>
      problem(within(pool, 'gpus'), `is a second inventory of pool ${pool.name}`, within(first, 'gpus')),
    )
}

function poolBounds(
  variants: readonly PlacedVariant[],
  pools: readonly PlacedPool[],
): readonly PolicyProblem[] {
  return pools.flatMap((pool) => {
    const { gpus } = pool
    if (gpus === undefined) return []
    const inventory = within(pool, 'gpus')
    let taken = 0
    return variants.flatMap((one) => {
      const { accelerator, replicas } = one.variant
      if (poolOf(one.variant) !== pool.name) return []
      if (accelerator.count > gpus && replicas.max > 0) {
        const message = `must be at most ${gpus}: pool ${pool.name} has no more GPUs`
        return [problem(within(one, 'accelerator', 'count'), message, inventory)]
      }
      const before = taken
      taken += replicas.min * accelerator.count
      if (before > gpus || taken <= gpus) return []
      const message = `brings the minimums in pool ${pool.name} to ${taken} GPUs of ${gpus}`
      return [problem(within(one, 'replicas', 'min'), message, inventory)]
    })
  })
}

/** Several Fleet documents add up; what two of them state differently has no meaning. */
function fleetTwice({ fleets }: Documents): readonly PolicyProblem[] {
  const prices = fleets.flatMap(({ tree, stated }) =>
    Object.entries(stated.spec.prices).map(([type, price]) => ({
      tree,
      path: ['spec', 'prices', type],
      type,
      price,
    })),
  )
  const twice = repeated(
    prices,
    ({ type }) => type,
    (one, first) => ({ one, first }),
  ).filter(({ one, first }) => one.price !== first.price)
  const defaults = fleets
    .filter(({ stated }) => Object.keys(stated.spec.defaults.behavior).length > 0)
    .map(({ tree }): Spot => ({ tree, path: ['spec', 'defaults', 'behavior'] }))
  return [
    ...twice.map(({ one, first }) => problem(one, `is a second price of ${one.type}`, first)),
    ...repeated(
      defaults,
      () => 'defaults',
      (one, first) => problem(one, 'must stand in one Fleet document only', first),
    ),
  ]
}
