// What is remembered of demand is an exact function of a bounded window: whoever has read that window, from the live
// ticks or from history, remembers the same, bit for bit.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type DemandHistory,
  enterDemand,
  enterPattern,
  forecastFrom,
  historyGridSeconds,
  historyWindow,
  noHistory,
  seasonGridSeconds,
} from '../../src/core/forecast/history.ts'
import { elder, enterInto, type Generations } from '../../src/core/generations.ts'
import { Random } from '../../src/simulation/random.ts'

const lead = 228
const day = 86_400
const epoch = 20_700 * day

/** Any recursive memory: here the list of all that it was told. */
function told(inputs: readonly number[], seconds: number): Generations<readonly number[]> | undefined {
  let generations: Generations<readonly number[]> | undefined
  for (const at of inputs) {
    generations = enterInto(generations, at, seconds, (memory) => [...(memory ?? []), at])
  }
  return generations
}

describe('generations', () => {
  it('hold exactly the inputs since the anchor, and since the anchor before it', () => {
    const times = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(times, fc.integer({ min: 1, max: 150 }), (unsorted, seconds) => {
        const inputs = [...new Set(unsorted)].sort((x, y) => x - y)
        const last = inputs.at(-1) ?? 0
        const anchor = Math.floor(last / seconds) * seconds
        const generations = told(inputs, seconds)
        expect(generations?.anchor).toBe(anchor)
        expect(generations?.young).toEqual(inputs.filter((at) => at >= anchor))
        expect(generations === undefined ? [] : elder(generations)).toEqual(
          inputs.filter((at) => at >= anchor - seconds),
        )
      }),
    )
  })

  it('leave out what belongs to a generation that is over', () => {
    const generations = told([100, 150], 50)
    expect(enterInto(generations, 149, 50, () => [])).toBe(generations)
  })
})

/** A busy day with noise, one value every quarter of a minute. */
function demandAt(at: number): number {
  const random = new Random(at % 100_003)
  return Math.max(0, 40 + 25 * Math.sin((2 * Math.PI * at) / day) + 3 * random.normal())
}

function lived(from: number, until: number, start = noHistory): DemandHistory {
  let history = start
  for (let at = from; at <= until; at += 15) history = enterDemand(history, at, demandAt(at), lead)
  return history
}

/** As a server reads it at its start: the season's grid first, then the minutes. */
function readBack(until: number): DemandHistory {
  const { seasonFrom, learntFrom } = historyWindow(until)
  let history = noHistory
  for (let at = seasonFrom; at < learntFrom; at += seasonGridSeconds) {
    history = enterPattern(history, at, demandAt(at))
  }
  for (let at = learntFrom; at <= until; at += historyGridSeconds) {
    history = enterDemand(history, at, demandAt(at), lead)
  }
  return history
}

describe('the history of demand', () => {
  it('is the same for a server that ran for two weeks and one that read the window just now', () => {
    // At an anchor, and in the middle of a generation.
    const begun = epoch + 3 * day + 1234 * 15
    const ends = [epoch + 13 * day, epoch + 13.4 * day]
    let old = noHistory
    let from = begun
    for (const until of ends) {
      old = lived(from, until, old)
      from = until + 15
      const young = readBack(until)
      expect(young).toEqual(old)
      const asked = (history: DemandHistory) => forecastFrom(history, until + 30, 50, lead, 0.9)
      expect(asked(young)).toEqual(asked(old))
      expect(asked(young).basis).toBe('calibrated')
    }
  }, 30_000)

  it('stays the same between the minutes of its grid, and under any interval that meets them', () => {
    const until = epoch + 3 * 3600
    const every = (seconds: number) => {
      let history = noHistory
      for (let at = epoch; at <= until; at += seconds) history = enterDemand(history, at, demandAt(at), lead)
      return history
    }
    expect(every(5)).toEqual(every(15))
    expect(every(60)).toEqual(every(15))
  })

  it('is plain JSON of at most 3,500 numbers after two weeks', () => {
    const history = readBack(epoch + 13.9 * day)
    const text = JSON.stringify(history)
    expect(JSON.parse(text)).toEqual(history)
    expect(text.match(/-?\d+(\.\d+)?(e[-+]?\d+)?/g)?.length).toBeLessThan(3500)
  })
})
