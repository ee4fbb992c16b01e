// Which requests end when: in steps of tokens, against requests that are followed one by one.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TokenClock } from '../../src/backtest/fluid/tokenClock.ts'

test('what begins ends as many tokens later as its answer has, all of it and nothing else', () => {
  const step = fc.record({
    tokens: fc.double({ min: 0.1, max: 500, noNaN: true }),
    begun: fc.double({ min: 0, max: 100, noNaN: true }),
  })
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
      const lengths = [1, 40, 700, 5000]
      const clock = new TokenClock(1, lengths)
      const ended = lengths.map(() => 0)
      let passed = 0
      const begun: { from: number; to: number; requests: number }[] = []
      for (const { tokens, begun: requests } of steps) {
        begun.push({ from: passed, to: passed + tokens, requests })
        passed += tokens
        const [ending] = clock.pass(tokens, Float64Array.of(requests))
        lengths.forEach((_, i) => {
          ended[i] = (ended[i] ?? 0) + (ending?.[i] ?? 0)
        })
      }
      lengths.forEach((length, i) => {
        const due = begun.reduce((sum, { from, to, requests }) => {
          const share = Math.min(1, Math.max(0, (passed - length - from) / (to - from)))
          return sum + share * requests
        }, 0)
        expect(ended[i]).toBeCloseTo(due, 6)
      })
    }),
  )
})

test('steps of hours ago are forgotten, and nothing that ends is by that', () => {
  const clock = new TokenClock(1, [100, 2000])
  let last: readonly Float64Array[] = []
  for (let step = 0; step < 20_000; step++) last = clock.pass(50, Float64Array.of(3))
  expect([...(last[0] ?? [])].map((requests) => Math.round(1e6 * requests) / 1e6)).toEqual([3, 3])
})
