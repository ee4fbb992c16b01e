// Traces as they are found: good ones read right, bad ones refused with file and line, long ones in bounded memory.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rateInside } from '../../src/backtest/traffic/insideWindows.ts'
import { instantOf } from '../../src/backtest/traffic/instants.ts'
import { lengthPoints, meanOf } from '../../src/backtest/traffic/lengthPoints.ts'
import { lengthsInside } from '../../src/backtest/traffic/lengthsInside.ts'
import { readRates } from '../../src/backtest/traffic/readRates.ts'
import { readTrace } from '../../src/backtest/traffic/readTrace.ts'
import { requestsOf } from '../../src/backtest/traffic/requests.ts'
import { stepsOf } from '../../src/backtest/traffic/steps.ts'
import { TraceError } from '../../src/backtest/traffic/traceError.ts'
import type { Inside, Traffic, TrafficSource } from '../../src/backtest/traffic/traffic.ts'
import { Random } from '../../src/simulation/random.ts'
import type { Request } from '../../src/simulation/request.ts'
import { steady } from './sites.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const read = (text: string) => [...readTrace('t.csv', [bytes(text)])]
const azure = 'TIMESTAMP,ContextTokens,GeneratedTokens'

describe('a trace of requests', () => {
  test('is read from Azure’s CSV, to the tenth of a microsecond', () => {
    const rows = read(`${azure}\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n`)
    expect(rows.map(({ promptTokens, outputTokens }) => [promptTokens, outputTokens])).toEqual([
      [374, 44],
      [396, 109],
    ])
    expect((rows[1]?.atSeconds ?? 0) - (rows[0]?.atSeconds ?? 0)).toBeCloseTo(4.314579, 5)
  })

  test('is read from Mooncake’s JSON lines and from access logs, which are put into the order of arrivals', () => {
    expect(
      read('{"timestamp": 1500, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1]}\n'),
    ).toEqual([{ atSeconds: 1.5, promptTokens: 6758, outputTokens: 500 }])
    const log = [
      '{"time":"2026-01-01T00:00:05Z","usage":{"prompt_tokens":7,"completion_tokens":3}}',
      '{"time":"2026-01-01T00:00:02+00:00","prompt_tokens":5,"completion_tokens":0}',
      '{"created":1767225604,"prompt_tokens":6,"completion_tokens":2}',
    ]
    expect(
      read(log.join('\r\n')).map(({ atSeconds, promptTokens, outputTokens }) => [
        atSeconds - 1_767_225_600,
        promptTokens,
        outputTokens,
      ]),
    ).toEqual([
      [2, 5, 1],
      [4, 6, 2],
      [5, 7, 3],
    ])
  })

  test('may have a byte order mark, CRLF, empty lines, other columns, and come in blocks of any size', () => {
    const text = `\uFEFFid,GeneratedTokens,ContextTokens,TIMESTAMP\r\n1,44,374,2023-11-16T18:15:46Z\r\n\r\n2,9,8,2023-11-16T18:15:47Z`
    const whole = read(text)
    expect(whole).toHaveLength(2)
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sizes) => {
        const all = bytes(text)
        const blocks: Uint8Array[] = []
        for (let at = 0, i = 0; at < all.length; i++) {
          const size = sizes[i % sizes.length] ?? 1
          blocks.push(all.slice(at, at + size))
          at += size
        }
        expect([...readTrace('t.csv', blocks)]).toEqual(whole)
      }),
    )
  })

  test.each([
    ['', 't.csv: the trace is empty'],
    [`${azure}\n`, 't.csv: the trace has no requests'],
    ['a,b\n1,2\n', /^t\.csv:1: no column TIMESTAMP: a trace has TIMESTAMP,ContextTokens,GeneratedTokens/],
    [`${azure}\nyesterday,1,2\n`, /^t\.csv:2: TIMESTAMP must be an instant .*: got "yesterday"$/],
    [
      `${azure}\n2023-11-16 18:15:46,-5,2\n`,
      't.csv:2: ContextTokens must be from 0 to 100000000 tokens: got -5',
    ],
    [`${azure}\n2023-11-16 18:15:46,NaN,2\n`, 't.csv:2: ContextTokens must be a number: got "NaN"'],
    [
      `${azure}\n2023-11-16 18:15:46,1e300,2\n`,
      't.csv:2: ContextTokens must be from 0 to 100000000 tokens: got 1e+300',
    ],
    [
      `${azure}\n2023-11-16 18:15:46,5\n`,
      't.csv:2: GeneratedTokens must be a number: the line has no such column',
    ],
    [
      `${azure}\n2023-11-16 18:15:46,5,7\n2023-11-16 18:15:4`,
      /^t\.csv:3: TIMESTAMP must be an instant .* \(the file ends in this line, without a line end: it may be cut off\)$/,
    ],
    [
      `${azure}\n2023-11-16 18:15:46,5,7\n2023-11-16 18:15:44.5,5,7\n`,
      't.csv:3: 1.5 s earlier than the line before: sort the trace by time',
    ],
    ['{"timestamp": 1}\n', /^t\.csv:1: none of input_length, prompt_tokens, .* is there$/],
    [
      '{"time": true, "prompt_tokens": 1, "completion_tokens": 1}\n',
      /^t\.csv:1: time must be an instant .*: got "true"$/,
    ],
    [
      '{"time": 1, "prompt_tokens": "7", "completion_tokens": 1}\n',
      't.csv:1: prompt_tokens must be a number: got "\\"7\\""',
    ],
    [
      '{"time": 1, "prompt_tokens": 7, "completion_tokens": 1}\n{"time": 2, "prom',
      /^t\.csv:2: not a JSON object: .* it may be cut off\)$/,
    ],
  ])('that is bad is refused with its place: %j', (text, message) => {
    expect(() => read(text)).toThrow(TraceError)
    expect(() => read(text)).toThrow(message)
  })

  test('in another encoding, compressed, or without line ends is refused and not held in memory', () => {
    const refused = (blocks: Iterable<Uint8Array>) => () => [...readTrace('t.csv', blocks)]
    const latin = Uint8Array.from([...bytes(`${azure}\n2023-11-16 18:15:46,5,7\n`), 0xe9, 0x0a])
    expect(refused([latin])).toThrow('t.csv:3: this line is not UTF-8')
    expect(refused([Uint8Array.from([0xff, 0xfe, 0x54, 0])])).toThrow('t.csv: this is UTF-16')
    expect(refused([Uint8Array.from([0x1f, 0x8b, 8, 0])])).toThrow('t.csv: this is compressed')
    let blocks = 0
    function* endless(): Generator<Uint8Array> {
      for (;;) {
        blocks++
        yield new Uint8Array(65_536).fill(65)
      }
    }
    expect(refused(endless())).toThrow('t.csv:1: no line end within 1048576 bytes')
    expect(blocks).toBeLessThan(20)
  })

  test('is never read ahead: of a trace without end the first requests come at once', () => {
    function* endless(): Generator<Uint8Array> {
      yield bytes(`${azure}\n`)
      for (let i = 0; ; i++) yield bytes(`2023-11-16 18:${String(i % 60).padStart(2, '0')}:00,5,7\n`)
    }
    const rows = readTrace('t.csv', endless())
    expect([rows.next().value, rows.next().value]).toHaveLength(2)
  })

  test('of any bytes gives requests in order of time or an error with its place, and never hangs', () => {
    const line = fc.oneof(
      fc.string({ maxLength: 30 }),
      fc.constantFrom(
        azure,
        't_s,rate_req_s',
        '2023-11-16 18:15:46,5,7',
        '{"time":1,"prompt_tokens":1,"completion_tokens":2}',
        '{',
        ',,,',
        '\u0000',
      ),
    )
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        for (const readAll of [
          () => [...readTrace('t.csv', [bytes(lines.join('\n'))])].map(({ atSeconds }) => atSeconds),
          () => readRates('t.csv', [bytes(lines.join('\n'))]).windows.map(({ fromSeconds }) => fromSeconds),
        ]) {
          try {
            const times = readAll()
            expect(times).toEqual(times.toSorted((x, y) => x - y))
          } catch (error) {
            expect(error).toBeInstanceOf(TraceError)
            expect((error as Error).message).toMatch(/^t\.csv(:\d+)?: /)
          }
        }
      }),
      { numRuns: 300 },
    )
  })
})

describe('instants', () => {
  test.each([
    ['1970-01-01 00:00:00', 0],
    ['2000-02-29T12:00:00Z', 951_825_600],
    ['2024-05-10 00:00:00.009930+00:00', 1_715_299_200.00993],
    ['2026-01-01T01:00:00+0100', 1_767_225_600],
    ['2026-13-01 00:00:00', undefined],
    ['nonsense', undefined],
  ])('%s', (text, seconds) => {
    if (seconds === undefined) expect(instantOf(text)).toBeUndefined()
    else expect(instantOf(text)).toBeCloseTo(seconds, 4)
  })

  test('agree with the calendar that everybody uses', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('1970-01-01'), max: new Date('2200-01-01'), noInvalidDate: true }),
        (date) => {
          expect(instantOf(date.toISOString())).toBeCloseTo(date.getTime() / 1000, 3)
        },
      ),
    )
  })
})

const header =
  't_s,rate_req_s,active_clients,prompt_mean,prompt_p50,prompt_p95,prompt_p99,output_mean,output_p50,output_p95,output_p99'
const window = (at: number, rate: number) => `${at},${rate},43,355.3,77,1139,2682,292.34,425,493,524`

describe('a rate series', () => {
  const series = (text: string) => readRates('r.csv', [bytes(text)])

  test('keeps rates, means and percentiles of lengths', () => {
    const { windows, notes } = series([header, window(0, 212), window(600, 180)].join('\n'))
    expect(notes).toEqual([])
    expect(
      windows.map(({ fromSeconds, untilSeconds, requestsPerSecond }) => [
        fromSeconds,
        untilSeconds,
        requestsPerSecond,
      ]),
    ).toEqual([
      [0, 600, 212],
      [600, 1200, 180],
    ])
    expect(meanOf(windows[0]?.promptTokens ?? [])).toBeCloseTo(355.3, 6)
    expect(meanOf(windows[0]?.outputTokens ?? [])).toBeCloseTo(292.34, 6)
    // Equal lengths are one object: what rests on them is worked out once.
    expect(windows[1]?.promptTokens).toBe(windows[0]?.promptTokens)
  })

  test('with a short hole is filled in and says so; a long hole is an error', () => {
    const { windows, notes } = series(
      [header, window(0, 100), window(600, 100), window(2400, 160)].join('\n'),
    )
    expect(windows.map(({ requestsPerSecond }) => requestsPerSecond)).toEqual([100, 100, 120, 140, 160])
    expect(notes).toEqual(['r.csv:4: 2 windows before this one are missing: filled in'])
    expect(() => series([header, window(0, 1), window(600, 1), window(60_000, 1)].join('\n'))).toThrow(
      'r.csv:4: 98 windows are missing between lines 3 and 4: more than 6 are not filled in; cut the series there, or let --bridge fill in longer ones',
    )
  })

  test('with a long hole is filled in where that is asked for, as long as it is no longer', () => {
    const text = [header, window(0, 100), window(600, 100), window(6600, 200)].join('\n')
    const { windows } = readRates('r.csv', [bytes(text)], 5400)
    expect(windows.map(({ requestsPerSecond }) => requestsPerSecond).slice(0, 4)).toEqual([
      100, 100, 110, 120,
    ])
    expect(() => readRates('r.csv', [bytes(text)], 4800)).toThrow('9 windows are missing')
  })

  test('begins when it says, where its seconds are since the epoch', () => {
    const from = (at: number) => series([header, window(at, 1), window(at + 600, 1)].join('\n'))
    expect(from(1_767_225_600)).toMatchObject({ beginsAtSeconds: 1_767_225_600 })
    expect(from(1_767_225_600).windows[0]).toMatchObject({ fromSeconds: 0 })
    expect(from(86_400)).not.toHaveProperty('beginsAtSeconds')
  })

  test.each([
    [[header, window(0, -1), window(600, 1)], 'r.csv:2: rate_req_s must not be negative: got "-1"'],
    [[header, window(600, 1), window(0, 1)], 'r.csv:3: t_s must rise from line to line: got 0 after 600'],
    [[header, window(0, 1)], 'r.csv:2: one window is no series'],
    [[header, window(0, 1), window(600, 1), window(1000, 1)], 'r.csv:4: windows must be 600 s apart'],
    [
      ['t_s,rate_req_s,prompt_mean', '0,1,5', '600,1,5'],
      'r.csv:2: output_mean must be a number: the line has no such column',
    ],
  ])('that is bad is refused: %j', (lines, message) => {
    expect(() => series(lines.join('\n'))).toThrow(message)
  })

  test('inside its windows is bridged to the windows’ means, repeatably, and smooth where the windows are', () => {
    const rates = [100, 120, 90, 150, 140, 100]
    const { windows } = series([header, ...rates.map((rate, i) => window(600 * i, rate))].join('\n'))
    const bridge = rateInside(windows, 'bridge', 3)
    const step = rateInside(windows, 'step', 3)
    for (const [i, rate] of rates.entries()) {
      const inside = Array.from({ length: 40 }, (_, k) => bridge(600 * i + 15 * k + 7))
      expect(inside.reduce((sum, each) => sum + each, 0) / 40).toBeCloseTo(rate, 6)
      expect(new Set(inside).size).toBeGreaterThan(30)
      expect(step(600 * i + 300)).toBe(rate)
    }
    expect(bridge(1234)).toBe(rateInside(windows, 'bridge', 3)(1234))
    expect(bridge(1234)).not.toBe(rateInside(windows, 'bridge', 4)(1234))
    expect([bridge(-1), bridge(3600), step(3600)]).toEqual([0, 0, 0])
  })

  test('does not jump from window to window more than inside of one', () => {
    const random = new Random(5, 1)
    const rates = Array.from({ length: 60 }, () => 100 * Math.exp(0.2 * random.normal()))
    const { windows } = series([header, ...rates.map((rate, i) => window(600 * i, rate))].join('\n'))
    const bridge = rateInside(windows, 'bridge', 3)
    const rms = (steps: readonly number[]): number =>
      Math.sqrt(
        steps.reduce((sum, at) => sum + Math.log(bridge(15 * at + 1) / bridge(15 * at - 14)) ** 2, 0) /
          steps.length,
      )
    const steps = Array.from({ length: 40 * 60 - 1 }, (_, i) => i + 1)
    const [edges, inside] = [steps.filter((at) => at % 40 === 0), steps.filter((at) => at % 40 !== 0)]
    expect(rms(edges)).toBeLessThan(1.3 * rms(inside))
  })

  test('has lengths that drift from window to window, or are those of the window', () => {
    const [first, second] = [window(0, 1), window(600, 1).replace('355.3,77', '710.6,154')]
    const { windows } = series([header, first, second].join('\n'))
    const prompts = (inside: Inside): readonly number[] =>
      [10, 310, 460, 610, 760, 1190].map((at) => {
        const lengths = lengthsInside(windows, inside)(at)
        return Math.round(meanOf(lengths?.promptTokens ?? []))
      })
    const [low, high] = [prompts('step')[0] as number, prompts('step').at(-1) as number]
    expect(high).toBeGreaterThan(low)
    expect(prompts('step')).toEqual([low, low, low, high, high, high])
    const drift = prompts('bridge')
    expect([drift[0], drift.at(-1)]).toEqual([low, high])
    expect([...drift].sort((x, y) => x - y)).toEqual(drift)
    expect(new Set(drift).size).toBeGreaterThan(4)
    expect(lengthsInside(windows, 'bridge')(1200)).toBeUndefined()
  })
})

test('points of lengths have the stated mean whatever the percentiles say', () => {
  const tokens = fc.integer({ min: 1, max: 30_000 })
  fc.assert(
    fc.property(tokens, tokens, tokens, tokens, (mean, p50, p95, p99) => {
      const points = lengthPoints({ mean, p50, p95, p99 })
      expect(points.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 9)
      expect(points.every((point) => point.tokens >= 1)).toBe(true)
      // One token is the least: a mean near 1 with long percentiles cannot be met.
      expect(meanOf(points)).toBeGreaterThan(0.999 * mean)
    }),
  )
})

describe('traffic from both ends', () => {
  const recorded = (count: number): TrafficSource => ({
    kind: 'requests',
    open: () =>
      Array.from({ length: count }, (_, i) => ({
        atSeconds: i,
        promptTokens: 10 + i,
        outputTokens: 1 + (i % 7),
      }))[Symbol.iterator](),
  })
  const traffic = (source: TrafficSource, scale: number, shiftSeconds = 0): Traffic => ({
    untilSeconds: 2400,
    sources: [{ classIndex: 0, scale, shiftSeconds, source }],
  })
  const all = (of: Traffic, seed = 1): Request[] => [...{ [Symbol.iterator]: () => requestsOf(of, seed) }]

  test('scale 1 changes nothing; other scales multiply requests, keep their order and repeat from the seed', () => {
    expect(all(traffic(recorded(600), 1)).map(({ arrivedAtSeconds }) => arrivedAtSeconds)).toEqual(
      Array.from({ length: 600 }, (_, i) => i),
    )
    for (const scale of [0.5, 2.5, 4]) {
      const requests = all(traffic(recorded(600), scale))
      expect(requests.length).toBeGreaterThan(600 * scale * 0.9)
      expect(requests.length).toBeLessThan(600 * scale * 1.1)
      const times = requests.map(({ arrivedAtSeconds }) => arrivedAtSeconds)
      expect(times).toEqual(times.toSorted((x, y) => x - y))
      expect(all(traffic(recorded(600), scale))).toEqual(requests)
      expect(all(traffic(recorded(600), scale), 2)).not.toEqual(requests)
    }
  })

  test('shifted traffic comes later, and what is cut off at either end does not come', () => {
    const later = all(traffic(recorded(600), 1, 2000))
    expect([later[0]?.arrivedAtSeconds, later.at(-1)?.arrivedAtSeconds]).toEqual([2000, 2399])
    const earlier = all(traffic(recorded(600), 1, -100))
    expect([earlier[0]?.arrivedAtSeconds, earlier[0]?.promptTokens]).toEqual([0, 110])
  })

  test.each([
    ['recorded', traffic(recorded(2000), 2.5)],
    ['drawn from rates', steady([20], 2400)],
  ])('steps and requests of %s traffic are the same amount of the same lengths', (_, of) => {
    const requests = all(of)
    const steps = stepsOf(of, 5, 1)
    let amount = 0
    let prompts = 0
    for (let at = 0; at < 2400; at += 5) {
      for (const { requests: arriving, shape } of steps.next().value ?? []) {
        amount += arriving
        prompts += arriving * meanOf(shape.promptTokens)
      }
    }
    const tokens = requests.reduce((sum, { promptTokens }) => sum + promptTokens, 0)
    expect(amount / requests.length).toBeGreaterThan(0.97)
    expect(amount / requests.length).toBeLessThan(1.03)
    expect(prompts / tokens).toBeGreaterThan(0.95)
    expect(prompts / tokens).toBeLessThan(1.05)
  })
})
