import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rate, slope } from '../../src/simulation/seriesRate.ts'
import { SeriesStore } from '../../src/simulation/seriesStore.ts'
import { parseExposition, seriesName } from '../../src/simulation/seriesText.ts'
import { owner, policySet } from './policies.ts'
import { observed, played, runSeconds, signalsOf, start, targetOf } from './stage.ts'

const newest = { kind: 'newest', metrics: ['m'], maxAgeSeconds: 300 } as const
const target = { pod: 'a-0', namespace: 'chat' }

function values(store: SeriesStore, metric: string, at: number): readonly number[] {
  return store.read(metric, newest, at).map(({ value }) => value)
}

describe('exposition text', () => {
  it('is parsed with its comments, escapes, spaces, timestamps and special values', () => {
    const text = [
      '# HELP m Something with { braces } and "quotes".',
      '',
      'm 1',
      'm{a="x"} 2.5e3 1760000000000',
      '  m { a = "}\\"\\\\\\n," , b="" , } NaN',
      'n{le="+Inf"}\t+Inf',
      'm 7',
    ].join('\n')
    const parsed = parseExposition(text)
    if (parsed.kind !== 'samples') throw new Error(`malformed line ${parsed.line}`)
    expect([...parsed.samples].map(([series, value]) => [seriesName(series), value])).toEqual([
      [{ name: 'm', labels: {} }, 1],
      [{ name: 'm', labels: { a: 'x' } }, 2500],
      [{ name: 'm', labels: { a: '}"\\\n,' } }, Number.NaN],
      [{ name: 'n', labels: { le: '+Inf' } }, Number.POSITIVE_INFINITY],
    ])
  })

  it.each([
    'm',
    'm{a="b"}',
    'm one',
    'm 1 2 3',
    '{a="b"}',
  ])('malformed, as in %j, is told by its line', (line) => {
    expect(parseExposition(`m 1\n${line}\n`)).toEqual({ kind: 'malformed', line: 2 })
  })

  it.each([
    'm{a="b} 1',
    'm{a=b} 1',
    'm{1a="b"} 1',
    'm{a="b" c="d"} 1',
    '1m 1',
  ])('with a malformed name, as in %j, fails the scrape', (line) => {
    const store = new SeriesStore(60)
    store.scrape(target, `fine 1\n${line}`, 100)
    expect([values(store, 'fine', 100), values(store, 'up', 100)]).toEqual([[], [0]])
  })

  it('never throws, and gives back what was written', () => {
    const name = fc.constantFrom('a', 'B_2', '_', 'le', 'constructor')
    const labels = fc.dictionary(name, fc.string({ minLength: 1, unit: 'binary' }))
    fc.assert(
      fc.property(name, labels, fc.double(), (metric, written, value) => {
        const escaped = (text: string) =>
          text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
        const pairs = Object.entries(written).map(([label, text]) => `${label}="${escaped(text)}"`)
        const number =
          Number.isFinite(value) || Number.isNaN(value) ? `${value}` : value > 0 ? '+Inf' : '-Inf'
        const parsed = parseExposition(`${metric}{${pairs.join(',')}} ${number}`)
        if (parsed.kind !== 'samples') throw new Error('malformed')
        const [[series, read] = ['', 0]] = parsed.samples
        expect(seriesName(series)).toEqual({ name: metric, labels: { ...written } })
        expect(read === value || Number.isNaN(read)).toBe(true)
      }),
    )
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('m', '{', '}', '"', '\\', '=', ',', ' ', '1', '\n', '#', 'é') }),
        (text) => {
          new SeriesStore(60).scrape(target, text, 100)
        },
      ),
      { numRuns: 1000 },
    )
  })
})

describe('the store', () => {
  it('prefers the labels of the target, and knows whether it is up', () => {
    const store = new SeriesStore(60)
    store.scrape(target, 'm{pod="claimed",x="y"} 1', 100)
    const [series] = store.read('m', newest, 100)
    expect(series?.labels).toEqual({ pod: 'a-0', namespace: 'chat', exported_pod: 'claimed', x: 'y' })
    expect(values(store, 'up', 100)).toEqual([1])
    store.scrapeFailed(target, 105)
    expect([values(store, 'm', 105), values(store, 'up', 105)]).toEqual([[], [0]])
    store.scrape(target, 'm{pod="claimed",x="y"} 3', 110)
    expect([values(store, 'm', 110), values(store, 'up', 110)]).toEqual([[3], [1]])
    store.targetGone(target, 115)
    expect([values(store, 'm', 115), values(store, 'up', 115)]).toEqual([[], []])
  })

  it('lets instants forget at once what is gone, and windows still see it', () => {
    const store = new SeriesStore(60)
    store.scrape(target, 'm 0\nother 1', 100)
    store.scrape(target, 'm 10\nother 1', 110)
    store.scrape(target, 'other 1', 120)
    expect(values(store, 'm', 120)).toEqual([])
    expect(values(store, 'm', 115)).toEqual([10])
    expect(
      store.read('m', { kind: 'rate', metrics: ['m'], windowSeconds: 30 }, 120)[0]?.value,
    ).toBeGreaterThan(0)
    expect(store.read('m', { kind: 'last', metrics: ['m'], windowSeconds: 30 }, 120)[0]?.value).toBe(10)
  })

  it('keeps no more than its windows look back, and five minutes', () => {
    const store = new SeriesStore(60)
    for (let at = 0; at <= 2000; at += 10) store.scrape({ pod: `p-${Math.floor(at / 500)}` }, 'm 1', at)
    const all = { kind: 'last', metrics: ['m'], windowSeconds: 1e9 } as const
    expect(store.read('m', all, 2000).map(({ labels }) => labels['pod'])).toEqual(['p-3', 'p-4'])
  })

  it('sees every target again after a pause longer than it keeps samples', () => {
    const store = new SeriesStore(60)
    const targets = [target, { ...target, pod: 'b-0' }]
    for (const at of [0, 15, 700, 715]) for (const each of targets) store.scrape(each, 'm 1', at)
    expect(values(store, 'm', 715)).toEqual([1, 1])
    expect(values(store, 'up', 715)).toEqual([1, 1])
  })

  it('that has not scraped for longer than the budget says stale, and after five minutes nothing', () => {
    const pod = { pod: 'llama-0', state: (seconds: number) => ({ running: 3, finished: seconds }) }
    const store = played([pod])
    const set = policySet({ variants: [owner('plain', 'llama', 'StatefulSet')] })
    const seenAfter = (seconds: number) =>
      signalsOf(observed(store, set, { at: start + runSeconds + seconds }), 'chat/llama/plain').running
    expect(seenAfter(60)).toBe(3)
    expect(seenAfter(61)).toEqual({ missing: 'stale', detail: 'newest sample 61 s old' })
    expect(seenAfter(301)).toEqual({ missing: 'noSeries', detail: 'running requests' })
    store.scrapeFailed(targetOf(pod, 'chat/vllm'), start + runSeconds + 5)
    expect(seenAfter(6)).toEqual({ missing: 'notScraped', detail: '1 of 1 targets do not answer' })
  })
})

describe('rate and slope', () => {
  const samples = fc
    .uniqueArray(
      fc.record({
        at: fc.integer({ min: 0, max: 59 }),
        value: fc.double({ min: 0, max: 1e12, noNaN: true }),
      }),
      {
        selector: ({ at }) => at,
      },
    )
    .map((list) => [...list].sort((a, b) => a.at - b.at))

  it('a rate is never negative, whatever the counter does', () => {
    fc.assert(
      fc.property(samples, (list) => {
        const found = rate(list, -1, 60)
        expect(found === undefined ? list.length < 2 : found >= 0).toBe(true)
      }),
    )
  })

  it('a steady counter has its own rate, extrapolated to the ends of the window', () => {
    const steady = Array.from({ length: 12 }, (_, index) => ({ at: 3 + 5 * index, value: 100 + 10 * index }))
    expect(rate(steady, 0, 60)).toBeCloseTo(2, 12)
  })

  it('a counter that begins inside the window is not extrapolated to before it was zero', () => {
    const young = [50, 55, 60].map((at, index) => ({ at, value: 10 * index }))
    expect(rate(young, 0, 60)).toBeCloseTo(20 / 60, 12)
  })

  it('one sample has no rate and no slope', () => {
    expect([rate([{ at: 1, value: 1 }], 0, 10), slope([{ at: 1, value: 1 }]), slope([])]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  it('a slope is that of the line through the samples', () => {
    expect(slope([0, 5, 10].map((at) => ({ at: 1.76e9 + at, value: 3 - 0.5 * at })))).toBeCloseTo(-0.5, 9)
  })
})
