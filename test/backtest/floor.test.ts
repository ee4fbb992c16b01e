// The floor that bursts need: found by trying, and what a person is told of it.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  cheapestReaching,
  type FloorTrial,
  floorsAt,
  lowestReaching,
  reaches,
  sharesToTry,
  withFloors,
} from '../../src/backtest/floor.ts'
import { mixscaler, scratch } from '../cli/run.ts'
import { oneVariant, oneVariantText } from './sites.ts'

/** What is attained at a share of the peak. */
type Attains = (share: number) => number

function searched(attains: Attains, goal: number): readonly FloorTrial[] {
  const played = (share: number): FloorTrial => ({
    ...{ share, floors: share === 0 ? {} : floorsAt(share, { chat: 40 }) },
    ...{ attained: { chat: attains(share) }, dollarsPerHour: 10 + share },
  })
  let trials: readonly FloorTrial[] = [played(0)]
  while (!reaches(trials[0] as FloorTrial, goal)) {
    const shares = sharesToTry(trials, goal)
    if (shares.length === 0) break
    trials = [...trials, ...shares.map(played)]
  }
  return trials
}

describe('the search for a floor', () => {
  it('finds the lowest that attains the goal, to 5 % of itself, in few trials', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.02, max: 6, noNaN: true }), (needed) => {
        const trials = searched((share) => (share >= needed ? 0.995 : 0.9), 0.99)
        const found = lowestReaching(trials, 0.99)?.share ?? 0
        expect(found).toBeGreaterThanOrEqual(needed)
        expect(found).toBeLessThanOrEqual(Math.max(needed / 0.95, needed + 1e-9))
        expect(trials.length).toBeLessThan(30)
      }),
    )
  })

  it('takes none that a higher one contradicts, and says where none attains it', () => {
    const lucky: Attains = (share) => (share >= 1.5 || share === 0.5 ? 0.995 : 0.9)
    const found = lowestReaching(searched(lucky, 0.99), 0.99)
    expect(found?.share).toBeGreaterThan(1)
    expect(found?.share).toBeLessThanOrEqual(1.5)
    expect(
      lowestReaching(
        searched(() => 0.9, 0.99),
        0.99,
      ),
    ).toBeUndefined()
    expect(
      lowestReaching(
        searched(() => 1, 0.99),
        0.99,
      )?.share,
    ).toBe(0)
  })

  it('takes the cheapest from there on, which need not be the lowest', () => {
    const trial = (share: number, attained: number, dollarsPerHour: number): FloorTrial => {
      return { share, floors: {}, attained: { chat: attained }, dollarsPerHour }
    }
    const trials = [trial(0, 0.8, 50), trial(0.5, 0.9, 40), trial(0.75, 0.995, 52), trial(1, 0.999, 45)]
    expect(cheapestReaching(trials, 0.99)?.share).toBe(1)
    expect(cheapestReaching([...trials, trial(1.5, 0.98, 60)], 0.99)).toBeUndefined()
  })

  it('rounds what is tried up to what is written down', () => {
    expect(floorsAt(0.333, { chat: 40, code: 0.05 })).toEqual({ chat: 13.4, code: 0.0167 })
  })
})

it('plans for a floor at all times, beside the schedules that there are', () => {
  const policies = oneVariant()
  const [policy] = withFloors(policies, { 'demo/chat/chat': 12 }).policies
  expect(policy?.schedules?.map(({ title, demand }) => [title, demand])).toEqual([
    ['floor', { 'demo/chat/chat': { atLeastPerSecond: 12 } }],
  ])
  expect(withFloors(policies, {}).policies).toEqual(policies.policies)
})

const policyText = oneVariantText.replace('min: 0', 'min: 1').replace('startup: 60s', 'startup: 120s')

/** Several runs each: a third of a minute on an idle machine. */
const wholeSearchMs = 120_000

describe('mixscaler backtest --floor', () => {
  const directory = scratch()
  const policy = join(directory, 'policy.yaml')
  writeFileSync(policy, policyText)
  const small = join(directory, 'small.yaml')
  writeFileSync(small, policyText.replace('max: 20', 'max: 1'))
  /** From 4 to 60 requests/s and back, three times in half an hour. */
  const onOff = ['--synthetic', 'spikes:rate=4,peak=60,count=3,for=30m,prompt=500,output=100']
  const floor = (...args: readonly string[]) =>
    mixscaler('backtest', '--policy', policy, '--fidelity', 'fluid', '--tick', '15s', ...args)

  it(
    'finds what on/off traffic needs, and what to write into the policy attains it',
    async () => {
      const { exitCode, out, error } = await floor(...onOff, '--floor', '99%')
      expect([
        exitCode,
        error.includes('trying floors of 25 %, 50 %, 75 %, 100 % of the busiest minute'),
      ]).toEqual([0, true])
      expect(out).toMatch(/no floor +\$\d+\.\d\d\/h +chat \d\d\.\d\d %\n/)
      const schedule = /^ {6}- \{ name: floor, .*\}$/m.exec(out)?.[0] ?? 'no schedule was printed'
      const floored = join(directory, 'floored.yaml')
      writeFileSync(floored, `${policyText}  behavior:\n    schedules:\n${schedule}\n`)
      const again = await mixscaler(
        ...['backtest', '--policy', floored, '--fidelity', 'fluid', '--tick', '15s', ...onOff],
        ...['--fail-if', 'attainment<99%'],
      )
      expect([again.exitCode, again.error]).toEqual([0, ''])
      const without = await mixscaler(
        ...['backtest', '--policy', policy, '--fidelity', 'fluid', '--tick', '15s', ...onOff],
        ...['--fail-if', 'attainment<99%'],
      )
      expect(without.exitCode).toBe(4)
    },
    wholeSearchMs,
  )

  it(
    'says that none is needed, or that none suffices, in tables and for programs',
    async () => {
      const calm = ['--synthetic', 'steps:rate=8,peak=9,count=2,for=20m,prompt=500,output=100']
      const needless = await floor(...calm, '--floor', '90%')
      expect([needless.exitCode, needless.out.includes('No floor is needed')]).toEqual([0, true])
      const json = JSON.parse((await floor(...calm, '--floor', '90%', '-o', 'json')).out)
      expect(json).toMatchObject({ format: 'mixscaler-floor/1', goal: 0.9, found: { share: 0 } })
      const hopeless = await mixscaler(
        ...['backtest', '--policy', small, '--fidelity', 'fluid', '--tick', '15s', ...onOff],
        ...['--floor', '99%', '-o', 'csv'],
      )
      expect(hopeless.exitCode).toBe(4)
      expect(hopeless.out.split('\r\n')[0]).toBe(
        'share_of_peak,class,floor_requests_per_second,attained,dollars_per_hour,found',
      )
      expect(hopeless.out).not.toContain('yes')
    },
    wholeSearchMs,
  )

  it.each([
    [['--floor', 'most'], '--floor must be a share such as 5% or 0.05: got "most"'],
    [['--floor', '0%'], '--floor must be above 0% and at most 100%: got "0%"'],
    [['--floor', '99%', '--fail-if', 'cost>1/h'], '--fail-if is about single runs'],
    [['--floor', '99%', '--controller', 'static'], '--floor is for the policies’ own decisions'],
    [['--floor', '99%', '--startup', '60s,120s'], '--floor is found for one start-up time'],
  ])('refuses %j', async (args, message) => {
    const { exitCode, error } = await floor(...onOff, ...args)
    expect([exitCode, error.includes(message) ? '' : error]).toEqual([2, ''])
  })
})
