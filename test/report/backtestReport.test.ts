// What a backtest's report says, against the result that it is made of.
import { beforeAll, describe, expect, test } from 'vitest'
import { type MinuteSeries, type Result, spendingLayers } from '../../src/backtest/result.ts'
import { isMissing, missing } from '../../src/core/reading.ts'
import { attainmentMap } from '../../src/report/backtest/attainmentMap.ts'
import {
  type BacktestReport,
  type BacktestReportInput,
  backtestReport,
} from '../../src/report/backtest/backtestReport.ts'
import { bucketSeconds, means, sums } from '../../src/report/backtest/buckets.ts'
import { worstMinutes } from '../../src/report/backtest/worstMinutes.ts'
import { reviewCsv } from '../../src/report/reportCsv.ts'
import { examplePolicies, reviewed } from './reviewed.ts'

let input: BacktestReportInput
let report: BacktestReport
let own: Result

beforeAll(async () => {
  input = await reviewed(await examplePolicies('chat/llama-70b'), { hours: 3, peaks: [30] })
  report = backtestReport(input)
  own = input.results[0] as Result
})

describe('a report of a real run', () => {
  test('shows the scored span only, at one point per minute where there is room', () => {
    expect(report.bucketSeconds).toBe(60)
    expect(report.scored).toEqual({
      from: input.epochSeconds + own.settings.warmupSeconds,
      until: input.epochSeconds + own.settings.untilSeconds,
      hours: own.scoredSeconds / 3600,
    })
    expect(report.at).toHaveLength(own.scoredSeconds / 60)
    expect(report.at[0]).toBe(report.scored.from)
    const [cost] = report.costs
    expect(cost?.dollarsPerHour).toEqual(own.minutes.dollarsPerHour.slice(own.settings.warmupSeconds / 60))
  })

  test('says what is paid today, what would be paid, and the difference', () => {
    const [ours, today] = report.comparison
    const { summary } = report
    expect(summary.ours).toMatchObject({ controller: 'mixscaler', dollarsPerHour: ours?.dollarsPerHour })
    expect(summary.today).toMatchObject({ controller: 'static', dollarsPerHour: today?.dollarsPerHour })
    const [now, then] = [today?.dollarsPerHour ?? 0, ours?.dollarsPerHour ?? 0]
    expect(summary.savedShare).toBeCloseTo(1 - then / now, 4)
    expect(summary.savedPerYear).toBeCloseTo((now - then) * 8760, -1)
    expect(today?.againstOurs).toBeCloseTo(now / then - 1, 3)
  })

  test('knows twice the traffic from the same decision as every other plan', () => {
    const cell = report.planning?.grid.cells.find(({ whatIf }) => whatIf === 'holdBand=0,demand=2x')
    expect(report.summary.doubled).toMatchObject({
      costPerHour: cell?.costPerHour,
      shortPerSecond: cell?.shortPerSecond,
    })
  })

  test('states the model error, the seed and the profiles it rests on', () => {
    expect(report.assumptions.join('\n')).toContain('5 % longer per iteration')
    expect(report.assumptions.join('\n')).toContain('seed 7')
    expect(report.sizedBy).toEqual([
      expect.objectContaining({ variant: 'chat/llama-70b/h100-tp4', quality: 'fair' }),
    ])
  })

  test('counts GPUs as pods hold them: peak, p95 and median in order', () => {
    const [pool] = report.pools
    const { ready, starting } = own.minutes.variants['chat/llama-70b/h100-tp4'] ?? { ready: [], starting: [] }
    const held = ready.map((count, minute) => 4 * (count + (starting[minute] ?? 0))).slice(30)
    expect(pool?.peak).toBe(Math.max(...held))
    expect(pool?.p50).toBeLessThanOrEqual(pool?.p95 ?? 0)
    expect(pool?.p95).toBeLessThanOrEqual(pool?.peak ?? 0)
  })

  test('gives the same bytes for the same result', () => {
    expect(JSON.stringify(backtestReport(input))).toBe(JSON.stringify(report))
  })

  test('is a CSV with one row per point and a title for every column', () => {
    const lines = reviewCsv(report).split('\r\n')
    expect(lines).toHaveLength(report.at.length + 2)
    expect(lines[0]).toContain('chat/llama-70b/chat demand/s,')
    const cells = (lines[1] ?? '').split(',')
    expect(cells).toHaveLength((lines[0] ?? '').split(',').length)
    expect(cells[0]).toBe(new Date(report.scored.from * 1000).toISOString())
  })

  test('says what it does not know instead of 0', () => {
    const { planning: _, today: __, ...less } = input
    const { summary, comparison } = backtestReport({
      ...less,
      results: [own],
      policies: { ...input.policies, pools: [] },
    })
    expect(summary.today).toEqual({
      unknown: 'no rule was run beside ours that stands for what runs today',
    })
    expect(isMissing(summary.savedShare)).toBe(true)
    expect(summary.doubled).toEqual({ unknown: 'no what-if was planned' })
    expect(summary.bottleneck).toMatchObject({
      pool: 'h100',
      gpus: { missing: 'notReported' },
    })
    expect(comparison[0]?.toBound).toEqual(missing('notReported', 'the bound was not computed'))
  })

  test('says where the money went, in steps that add up to what was paid', () => {
    const { spent } = report
    if (isMissing(spent)) throw new Error(`no steps: ${spent.detail}`)
    expect(spent.steps.map(({ layer }) => layer)).toEqual(
      spendingLayers.filter((layer) => layer !== 'unattributed'),
    )
    expect(spent.paidPerHour).toBe(report.summary.ours.dollarsPerHour)
    expect(sumOf(spent.steps) / spent.paidPerHour).toBeCloseTo(1, 9)
    expect(spent.steps.reduce((sum, { shareOfPaid = 0 }) => sum + shareOfPaid, 0)).toBeCloseTo(1, 7)
    expect(spent.regretPerHour).toEqual(missing('notReported', 'the bound was not computed'))
    expect(backtestReport({ ...input, ours: 'static' }).spent).toEqual(
      missing('notReported', 'static sizes by no demand'),
    )
  })

  test('shows what could not be split as a step of its own', () => {
    const { spending } = own
    if (spending === undefined) throw new Error('ours can be split')
    const perHour = { ...spending.perHour, actuation: spending.perHour.actuation - 2, unattributed: 2 }
    const blind = { ...own, spending: { perHour, attributedShare: 0.9 } }
    const { spent } = backtestReport({ ...input, results: [blind] })
    if (isMissing(spent)) throw new Error(`no steps: ${spent.detail}`)
    expect(spent.steps.at(-1)).toMatchObject({ layer: 'unattributed', perHour: 2 })
    expect(sumOf(spent.steps) / spent.paidPerHour).toBeCloseTo(1, 9)
  })

  test('puts every controller beside the bound where there is one', () => {
    const bounded = backtestReport({
      ...input,
      bound: {
        dollars: own.dollars / 1.25,
        dollarsPerHour: own.dollarsPerHour / 1.25,
        scheduleDollarsPerHour: own.dollarsPerHour / 1.2,
        attainment: 0.99,
        stepSeconds: 60,
        minutes: own.minutes.dollarsPerHour.map(() => 7),
      },
    })
    expect(bounded.comparison[0]?.toBound).toBeCloseTo(1.25, 5)
    expect(bounded.bound).toMatchObject({ scheduleDollarsPerHour: own.dollarsPerHour / 1.2, stepSeconds: 60 })
    const curve = bounded.costs.find(({ controller }) => controller === 'bound')
    expect(new Set(curve?.dollarsPerHour)).toEqual(new Set([7]))
    // The way to what was paid begins at the bound.
    const { spent } = bounded
    if (isMissing(spent)) throw new Error(`no steps: ${spent.detail}`)
    expect(spent.steps.slice(0, 3).map(({ layer }) => layer)).toEqual(['bound', 'boundToDemand', 'forecast'])
    expect(spent.steps[0]?.perHour).toBe(own.dollarsPerHour / 1.25)
    expect(sumOf(spent.steps) / spent.paidPerHour).toBeCloseTo(1, 9)
    expect(spent.regretPerHour).toBeCloseTo(own.dollarsPerHour * 0.2, 3)
    // The bound's own minutes are drawn; only what is shown of it stands in the report.
    expect(bounded.bound).not.toHaveProperty('minutes')
    expect(() => backtestReport({ ...input, ours: 'other' })).toThrow('no result of other among 2')
  })
})

test('each of the worst minutes has the reasons of the decision that was in force as it began', () => {
  expect(own.decisions?.length).toBeGreaterThan(0)
  expect(own.decisions?.length).toBeLessThanOrEqual(20)
  expect(report.worstMinutes.length).toBeGreaterThan(0)
  for (const { decided } of report.worstMinutes) {
    expect(decided.some((text) => /^chat needs \d/.test(text))).toBe(true)
    expect(decided.some((text) => /^h100-tp4: wanted \d+, target \d+: /.test(text))).toBe(true)
  }
})

describe('columns', () => {
  test('are means of the minutes that have a value; a bucket without one has none', () => {
    const cut = { fromMinute: 1, bucketSeconds: 120 }
    expect(means([9, 1, 3, null, 4, null, null, 7], cut)).toEqual([2, 4, null, 7])
    expect(means([9, 1, 3, null, 4, null, null, 7], cut, 'highest')).toEqual([3, 4, null, 7])
  })

  test('add up to nothing where one of them has no value', () => {
    expect(
      sums([
        [1, 2, null],
        [1, null, 3],
      ]),
    ).toEqual([2, null, null])
  })

  test('are at most four hundred, whatever the span', () => {
    for (const days of [0.01, 1, 2, 14, 90, 365, 2000]) {
      const width = bucketSeconds(days * 86_400)
      expect((days * 86_400) / width).toBeLessThanOrEqual(400)
      expect(width % 60).toBe(0)
    }
  })
})

function sumOf(steps: readonly { readonly perHour: number }[]): number {
  return steps.reduce((sum, { perHour }) => sum + perHour, 0)
}

/** One class on one variant of the smallest policy. */
function minutesOf(
  length: number,
  demand: (minute: number) => number,
  kept: (minute: number) => number | null,
): MinuteSeries {
  const column = <T>(value: (minute: number) => T): T[] =>
    Array.from({ length }, (_, minute) => value(minute))
  return {
    dollarsPerHour: column(() => 12.4),
    classes: {
      'chat/llama-70b/chat': {
        demand: column(demand),
        forecast: column(() => 10),
        attainment: column(kept),
        unfinished: column((minute) => (minute === 7 ? 90 : 10)),
      },
    },
    variants: {
      'chat/llama-70b/h100-tp4': {
        wanted: column((minute) => (minute === 7 ? 3 : 1)),
        target: column((minute) => (minute === 7 ? 2 : 1)),
        ready: column(() => 1),
        starting: column((minute) => (minute === 7 ? 1 : 0)),
      },
    },
  }
}

describe('the attainment map', () => {
  test('weighs minutes by their requests, and leaves cells without any empty', () => {
    const busyAndBad = minutesOf(
      15,
      (minute) => (minute === 0 ? 9 : 1),
      (minute) => (minute === 0 ? 0 : minute < 10 ? 1 : null),
    )
    const map = attainmentMap('chat/llama-70b/chat', busyAndBad, 0, 0)
    expect(map?.by).toBe('hours and minutes')
    expect(map?.rows).toEqual([{ at: 0, cells: [4 / 13, 1, ...new Array(10).fill(null)] }])
  })

  test('is by days and hours for more than a day and a half', () => {
    const map = attainmentMap(
      'chat/llama-70b/chat',
      minutesOf(
        3000,
        () => 1,
        () => 1,
      ),
      0,
      86_400 - 3600,
    )
    expect(map?.rows.map(({ at }) => at)).toEqual([0, 86_400, 172_800, 259_200])
    expect(map?.rows[0]?.cells.filter((cell) => cell !== null)).toEqual([1])
    expect(
      attainmentMap(
        'other',
        minutesOf(
          1,
          () => 1,
          () => 1,
        ),
        0,
        0,
      ),
    ).toBeUndefined()
  })
})

describe('the worst minutes', () => {
  test('come by late requests, with what was foreseen, asked for and missing then', () => {
    const series = minutesOf(
      12,
      (minute) => (minute === 7 ? 20 : 5),
      (minute) => (minute === 7 ? 0.5 : minute === 3 ? 0.9 : 1),
    )
    const pools = [{ name: 'h100', gpus: 8 }]
    const decisions = [
      { minute: 7, why: { 'chat/llama-70b': ['chat needs 5.00 req/s'], 'chat/other': ['is another'] } },
    ]
    const set = { ...input.policies, pools }
    const [worst, next, ...others] = worstMinutes(series, set, 0, 600, decisions)
    expect(worst).toEqual({
      at: 600 + 7 * 60,
      class: 'chat/llama-70b/chat',
      lateRequests: 600,
      attainment: 0.5,
      demand: 20,
      forecast: 10,
      reasons: [
        '20.0 req/s came, 10.0 were foreseen a minute before',
        'demand rose from 5.00 to 20.0 req/s within 5 min',
        'requests in the system rose from 10 to 90',
        'h100-tp4: 1 ready, 1 still starting',
        'h100-tp4: 3 wanted, 2 asked for',
        'pool h100 is full: 8 of 8 GPUs',
      ],
      decided: ['chat needs 5.00 req/s'],
    })
    expect(next?.reasons).toEqual([
      'demand was as foreseen and every replica that was wanted was ready; 10 requests were in the system',
    ])
    expect(next?.decided).toEqual([])
    expect(others).toEqual([])
  })

  test('are at most ten, none from the warm-up, and none where nothing was late', () => {
    const series = minutesOf(
      30,
      () => 1,
      () => 0.5,
    )
    const worst = worstMinutes(series, input.policies, 5, 0)
    expect(worst.map(({ at }) => at / 60)).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13, 14])
    expect(
      worstMinutes(
        minutesOf(
          30,
          () => 1,
          () => 1,
        ),
        input.policies,
        0,
        0,
      ),
    ).toEqual([])
  })
})
