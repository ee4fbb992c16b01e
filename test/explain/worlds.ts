// Small fleets that between them show everything an explanation can say, and the examples of policies/.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { requirePolicies } from '../../src/cli/policies.ts'
import type { Observation } from '../../src/core/observation.ts'
import type { PolicySet } from '../../src/core/policy.ts'
import { missing } from '../../src/core/reading.ts'
import { parseObservation } from '../../src/report/observationFile.ts'
import { behavior } from '../behavior.ts'
import { h100, l40s, observe, policy, policySet, signals, trafficClass, variant } from '../decide/world.ts'

export interface World {
  readonly name: string
  readonly policies: PolicySet
  readonly observation: Observation
}

const at = 1_800_000_000
const steady = { ...behavior, headroom: 0.1 }
const cheap = variant('l40s', {
  accelerator: { type: 'l40s', countPerReplica: 1 },
  pool: 'l40s',
  costPerHour: 1.5,
  profile: { ...l40s, quality: 'guess', name: 'llama/l40s-tp1' },
})

export const mixed: World = {
  name: 'two kinds of GPU, a minimum that costs money',
  policies: policySet(
    [policy([variant('h100'), { ...cheap, replicas: { min: 4, max: 12 } }], { behavior: steady })],
    [
      { name: 'h100', gpus: 6 },
      { name: 'l40s', gpus: 12 },
    ],
  ),
  observation: observe(at, { h100: signals(2, 50), l40s: signals(1, 5) }),
}

export const fullPool: World = {
  name: 'a full pool that costs money',
  policies: policySet(
    [
      policy([
        variant('h100', { costPerHour: 3 }),
        { ...cheap, costPerHour: 2, replicas: { min: 0, max: 40 } },
      ]),
    ],
    [{ name: 'h100', gpus: 2 }],
  ),
  observation: observe(at, { h100: signals(2, 150), l40s: signals(1, 5) }),
}

export const short: World = {
  name: 'a pool, a maximum and a budget that leave demand short',
  policies: policySet(
    [
      policy(
        [variant('h100', { replicas: { min: 1, max: 4 } }), { ...cheap, replicas: { min: 0, max: 3 } }],
        {
          behavior: { ...steady, budgetPerHour: 18 },
        },
      ),
    ],
    [{ name: 'h100', gpus: 4 }],
  ),
  observation: observe(at, { h100: signals(2, 300), l40s: signals(1, 5) }),
}

export const held: World = {
  name: 'counts that stay because a change is not worth it',
  policies: policySet([
    policy([variant('h100'), variant('h100-b', { costPerHour: 4.1, replicas: { min: 0, max: 20 } })], {
      behavior: { ...steady, holdBand: 0.3 },
    }),
  ]),
  observation: observe(at, { h100: signals(3, 70), 'h100-b': signals(2, 70) }),
}

export const redundant: World = {
  name: 'redundancy and a minimum share',
  policies: policySet(
    [
      policy([variant('h100'), { ...cheap, minShare: 0.2, replicas: { min: 0, max: 12 } }], {
        behavior: { ...steady, surviveReplicas: 1 },
      }),
    ],
    [{ name: 'h100', gpus: 5 }],
  ),
  observation: observe(at, { h100: signals(3, 90), l40s: signals(2, 10) }),
}

const evals = trafficClass('eval', {
  priority: 10,
  serviceLevel: { kind: 'latencyTolerant', completeWithinSeconds: 7200 },
  demand: { kind: 'query', backlogTokens: 'sum(tokens)' },
})

export const tolerant: World = {
  name: 'work that may wait beside chat',
  policies: policySet([
    policy([variant('h100'), { ...cheap, name: 'batch', id: 'chat/llama/batch', classes: ['eval'] }], {
      classes: [trafficClass('chat'), evals],
    }),
  ]),
  observation: observe(at, { h100: signals(3, 60), batch: signals(1, 3) }, { eval: { backlogTokens: 3e6 } }),
}

export const split: World = {
  name: 'prefill and decode on their own',
  policies: policySet([
    policy([
      variant('prefill', { role: 'prefill', transferGroup: 'a' }),
      variant('decode', { role: 'decode', transferGroup: 'a', profile: { ...h100, kvTokens: 20_000 } }),
    ]),
  ]),
  observation: observe(at, { prefill: signals(2, 40), decode: signals(2, 40) }),
}

export const blindWorld: World = {
  name: 'a variant that cannot be seen',
  policies: policySet([policy([variant('h100'), cheap])]),
  observation: observe(at, {
    h100: signals(2, 40),
    l40s: signals(2, 10, { completionsPerSecond: missing('stale') }),
  }),
}

/** A second policy with a variant and a class of the same names, that shares the pool and is short of it. */
const other = policy([variant('h100', { id: 'search/rank/h100', replicas: { min: 1, max: 8 } })], {
  id: 'search/rank',
  name: 'rank',
  namespace: 'search',
  model: 'rank',
  servedNames: ['rank'],
  classes: [trafficClass('chat', { id: 'search/rank/chat', priority: 1 })],
})

const oneSide = observe(at, { h100: signals(3, 150) })

export const twoPolicies: World = {
  name: 'two policies on one pool that is too small',
  policies: policySet([policy([variant('h100')]), other], [{ name: 'h100', gpus: 6 }]),
  observation: {
    ...oneSide,
    variants: { ...oneSide.variants, 'search/rank/h100': signals(2, 120) },
  },
}

export const worlds: readonly World[] = [
  mixed,
  fullPool,
  short,
  held,
  redundant,
  tolerant,
  split,
  blindWorld,
  twoPolicies,
]

const examples = join(import.meta.dirname, '../../policies')
const { policies: examplePolicies } = await requirePolicies(examples)

/** What docs/EXPLAIN.md shows. */
export const documented: readonly World[] = ['noon', 'rush'].map((name) => {
  const parsed = parseObservation(readFileSync(join(examples, 'observations', `${name}.json`), 'utf8'))
  if (parsed.kind === 'bad') throw new Error(parsed.problems.join())
  return { name: `policies/ at ${name}`, policies: examplePolicies, observation: parsed.observation }
})
