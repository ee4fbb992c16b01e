// What-if as a change of the policies: what each part changes, and what it says where it cannot be read.
import { describe, expect, it } from 'vitest'
import { applyWhatIf, sweep } from '../../src/core/optimize/whatIf.ts'
import type { PolicySet, ScalingPolicy, Variant } from '../../src/core/policy.ts'

const profile = {
  name: 'p',
  quality: 'stated',
  source: 'test',
  a: 10,
  b: 1,
  c: 0,
  ap: 10,
  bp: 1,
  d2: 0,
  g: 0,
  h: 0,
} as const

function variant(name: string, type: string, countPerReplica: number): Variant {
  return {
    id: `chat/llama/${name}`,
    name,
    role: 'unified',
    scaleTarget: { apiVersion: 'apps/v1', kind: 'Deployment', name },
    pods: { kind: 'owner' },
    accelerator: { type, countPerReplica },
    pool: type,
    costPerHour: 10,
    replicas: { min: 1, max: 8 },
    startupSeconds: 60,
    engine: {},
    profile,
    maxShare: 1,
    minShare: 0,
  }
}

const policy: ScalingPolicy = {
  id: 'chat/llama',
  name: 'llama',
  namespace: 'chat',
  model: 'llama',
  servedNames: ['llama'],
  classes: [
    {
      id: 'chat/llama/chat',
      name: 'chat',
      priority: 0,
      serviceLevel: { kind: 'interactive', itl: { percentile: 0.95, seconds: 0.05 } },
      demand: { kind: 'engine' },
      assumedShape: { promptTokens: 512, outputTokens: 128 },
    },
  ],
  variants: [variant('big', 'h100', 4), variant('small', 'l40s', 1)],
  behavior: {
    forecastQuantile: 0.5,
    headroom: 0.1,
    attainment: 0.99,
    learn: { headroom: 'on', speed: 'on' },
    scaleDownHoldSeconds: 120,
    stepLimits: {},
    holdBand: 0,
    surviveReplicas: 0,
    hpaTolerance: 0,
    stalenessBudgetSeconds: 120,
    sloMargin: 0.95,
    maxLoad: 0.9,
    zero: { afterSeconds: 600 },
  },
}

const policies: PolicySet = { policies: [policy], pools: [{ name: 'h100' }], alsoAllowed: {} }

function applied(text: string): ScalingPolicy & { readonly pools: PolicySet['pools'] } {
  const result = applyWhatIf(policies, text)
  const changed = result.kind === 'applied' ? result.policies.policies[0] : undefined
  if (result.kind !== 'applied' || changed === undefined) throw new Error(JSON.stringify(result))
  return { ...changed, pools: result.policies.pools }
}

describe('applyWhatIf', () => {
  it('scales demand, one part on top of another', () => {
    expect(applied('demand=2x').demandFactor).toBe(2)
    expect(applied('demand=2x,demand=0.25x').demandFactor).toBe(0.5)
    expect(applied('demand=2x').behavior).toEqual(policy.behavior)
  })

  it('changes the budget where one is stated, or of the policy it names', () => {
    expect(applied('budget.llama=160').behavior.budgetPerHour).toBe(160)
    expect(applied('budget.chat/llama=$99.50/h,budget=80').behavior.budgetPerHour).toBe(80)
  })

  it('changes the hold band', () => {
    expect(applied('holdBand=0').behavior.holdBand).toBe(0)
    expect(applied('holdBand=3%').behavior.holdBand).toBe(0.03)
  })

  it('means one variant or class by its id, all of that name by its name', () => {
    const twin = {
      ...policy,
      id: 'chat/twin',
      name: 'twin',
      variants: [{ ...variant('big', 'h100', 4), id: 'chat/twin/big' }],
    }
    const both = { ...policies, policies: [policy, twin] }
    const maxima = (text: string): readonly (readonly number[])[] => {
      const result = applyWhatIf(both, text)
      if (result.kind === 'invalid') throw new Error(result.errors.join())
      return result.policies.policies.map((each) => each.variants.map((one) => one.replicas.max))
    }
    expect(maxima('variant.chat/twin/big.max=3')).toEqual([[8, 8], [3]])
    expect(maxima('variant.big.max=3')).toEqual([[3, 8], [3]])
  })

  it('fixes a pool, one that is discovered and one that only variants name', () => {
    expect(applied('pool.h100=64,pool.l40s=3').pools).toEqual([
      { name: 'h100', gpus: 64 },
      { name: 'l40s', gpus: 3 },
    ])
  })

  it('prices GPUs, so that a replica of four costs four times as much', () => {
    expect(applied('price.h100=2.9').variants.map((one) => one.costPerHour)).toEqual([11.6, 10])
    expect(applied('price.h100=$2.90/h').variants[0]?.costPerHour).toBeCloseTo(11.6)
  })

  it('changes a bound of one class, of all interactive ones, and nothing else', () => {
    for (const key of ['slo.chat.itl', 'slo.interactive.itl', 'slo.itl']) {
      expect(applied(`${key}=60ms`).classes[0]?.serviceLevel).toEqual({
        kind: 'interactive',
        itl: { percentile: 0.95, seconds: 0.06 },
      })
    }
  })

  it('takes a variant out, its minimum too', () => {
    const changed = applied('variant.small.max=0')
    expect(changed.variants.map((one) => one.replicas)).toEqual([
      { min: 1, max: 8 },
      { min: 0, max: 0 },
    ])
    expect(applied('variant.big.min=9').variants[0]?.replicas).toEqual({ min: 9, max: 9 })
  })

  it('leaves the policies it was given as they are', () => {
    const before = structuredClone(policies)
    applied('demand=2x,price.h100=1,variant.small.max=0,pool.h100=1,slo.itl=1s')
    expect(policies).toEqual(before)
  })

  it.each([
    ['demand', 'must be KEY=VALUE, such as demand=2x'],
    ['demand=2', 'must be a factor, such as 2x or 0.5x: got "2"'],
    ['demand.chat=2x', 'demand takes no name'],
    ['pool.h100=many', 'must be a whole number of GPUs, such as 64: got "many"'],
    ['pool.mi300x=8', 'no pool "mi300x"; there are h100, l40s'],
    ['pool.h10=8', 'no pool "h10"; there are h100, l40s. Did you mean "h100"?'],
    ['price.h100=-1', 'must be money per GPU and hour, such as 2.9 or $2.90/h: got "-1"'],
    ['price.mi300x=1', 'no accelerator "mi300x"; there are h100, l40s'],
    ['slo.itl=60', 'must be a duration above 0, such as 60ms or 1.5s: got "60"'],
    ['slo.chat.ttft=1s', 'no interactive class with a bound on ttft "chat"'],
    [
      'slo.chta.itl=1s',
      'no interactive class with a bound on itl "chta"; there are chat. Did you mean "chat"?',
    ],
    ['budget=10', 'no policy states a budget; budget.POLICY gives it one'],
    ['budget.lama=10', 'no policy "lama"; there are llama. Did you mean "llama"?'],
    ['budget.llama=ten', 'must be money per hour, such as 160 or $160/h: got "ten"'],
    ['holdBand=5', 'must be a share below 100%, such as 5% or 0: got "5"'],
    ['holdBand.llama=0', 'holdBand takes no name'],
    [
      'constructor=1',
      'unknown key "constructor"; allowed are demand, pool, price, slo, variant, budget, holdBand',
    ],
    ['slo.chat.speed=1s', 'must be slo.ttft, slo.itl or slo.tpot, or slo.CLASS.ttft and so on'],
    ['variant.small.size=1', 'must be variant.NAME.min or variant.NAME.max'],
    ['variant.tiny.max=1', 'no variant "tiny"; there are big, small'],
    ['variant.small.max=1.5', 'must be a whole number of replicas, such as 4: got "1.5"'],
    [
      'demnad=2x',
      'unknown key "demnad"; allowed are demand, pool, price, slo, variant, budget, holdBand. Did you mean "demand"?',
    ],
  ])('says what is wrong with %s', (part, why) => {
    expect(applyWhatIf(policies, part)).toEqual({ kind: 'invalid', errors: [`what-if "${part}": ${why}`] })
  })

  it('reports every wrong part at once', () => {
    expect(applyWhatIf(policies, 'demand=2,pool.b200=8')).toMatchObject({
      errors: [{}, {}].map(() => expect.any(String)),
    })
  })
})

describe('sweep', () => {
  it('is its parts in equal steps, ends included', () => {
    expect(sweep('demand=0.5x..4x:8')).toEqual(
      ['0.5x', '1x', '1.5x', '2x', '2.5x', '3x', '3.5x', '4x'].map((value) => `demand=${value}`),
    )
    expect(sweep('slo.itl=40ms..60ms:2')).toEqual(['slo.itl=40ms', 'slo.itl=60ms'])
  })

  it.each(['demand=2x', 'demand=1x..2:4', 'demand=1x..2x:1'])('refuses %s', (text) => {
    expect(sweep(text)).toBe(
      `sweep "${text}": must be KEY=FROM..TO:STEPS with 2 to 100 steps, such as demand=0.5x..4x:8`,
    )
  })
})
