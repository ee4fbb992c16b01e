// The decisions behind the worst minutes are kept in bounded memory, whichever minutes turn out to be the worst.
import { expect, test } from 'vitest'
import { ServiceBook } from '../../src/backtest/serviceBook.ts'
import { WorstDecisions } from '../../src/backtest/worstDecisions.ts'
import { oneVariant, siteFor } from './sites.ts'

test('of a week, the twenty minutes with most late requests keep theirs, though lateness shows an hour later', () => {
  const minutes = 10_080
  const service = new ServiceBook(siteFor(oneVariant()).classes, minutes * 60, 0)
  const worst = new WorstDecisions(1)
  const { arrived, good } = service.classOf(0).minutes
  let asked = 0
  const late = (minute: number) => (minute % 500 === 499 ? minute : 1)
  for (let minute = 0; minute < minutes; minute++) {
    worst.enter(
      minute,
      () => {
        asked++
        return { 'demo/chat': [`decided at ${minute}`] }
      },
      service,
    )
    arrived[minute] = 20_000
    // What was late is known only 40 minutes later.
    if (minute >= 40) good[minute - 40] = 20_000 - late(minute - 40)
  }
  for (let minute = minutes - 40; minute < minutes; minute++) good[minute] = 20_000 - late(minute)
  const kept = worst.decisions(service)
  expect(kept.map(({ minute }) => minute)).toEqual(Array.from({ length: 20 }, (_, i) => 500 * i + 499))
  expect(kept[3]?.why).toEqual({ 'demo/chat': ['decided at 1999'] })
  // Sentences are made for those that are kept, and for no other.
  expect(asked).toBe(20)
})

test('minutes in which nothing was late keep nothing', () => {
  const service = new ServiceBook(siteFor(oneVariant()).classes, 600, 0)
  const worst = new WorstDecisions(1)
  const { arrived, good } = service.classOf(0).minutes
  for (let minute = 0; minute < 10; minute++) {
    worst.enter(minute, () => ({}), service)
    arrived[minute] = 3
    good[minute] = 3
  }
  expect(worst.decisions(service)).toEqual([])
})
