import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { offsetAt, utcOf } from '../../src/core/schedule/calendar.ts'
import { zoneOffsets } from '../../src/policy/zones.ts'

function offsets(zone: string) {
  const found = zoneOffsets(zone)
  if (found === undefined) throw new Error(`no ${zone}`)
  return found
}

describe('a time zone as a list of offsets', () => {
  it('changes when and where the law says', () => {
    const berlin = offsets('Europe/Berlin')
    // 28 March 2027, 02:00 CET: one hour on; 31 October 2027, 03:00 CEST: one hour back.
    const spring = Date.UTC(2027, 2, 28, 1) / 1000
    const autumn = Date.UTC(2027, 9, 31, 1) / 1000
    expect([spring - 1, spring, autumn - 1, autumn].map((at) => offsetAt(berlin, at))).toEqual([
      3600, 7200, 7200, 3600,
    ])
    expect(offsets('Asia/Kolkata')).toEqual([{ since: expect.any(Number), seconds: 19_800 }])
    expect(offsets('UTC').map(({ seconds }) => seconds)).toEqual([0])
  })

  it('is nothing for a place that is not known', () => {
    expect(zoneOffsets('Europe/Atlantis')).toBeUndefined()
  })

  it('reads clocks as the runtime does, at any instant of the range', () => {
    const zones = [
      'Europe/Berlin',
      'America/New_York',
      'Africa/Casablanca',
      'Australia/Lord_Howe',
      'Asia/Tehran',
    ]
    const from = Date.UTC(2016, 0, 1) / 1000
    const until = Date.UTC(2040, 0, 1) / 1000
    fc.assert(
      fc.property(fc.constantFrom(...zones), fc.integer({ min: from, max: until }), (zone, at) => {
        const clock = new Intl.DateTimeFormat('en-GB', { timeZone: zone, timeStyle: 'medium' })
        const local = at + offsetAt(offsets(zone), at)
        expect(new Date(local * 1000).toISOString().slice(11, 19)).toBe(clock.format(at * 1000))
      }),
    )
  })

  it('turns what a clock shows into the instant, the first of two, and past a skipped hour', () => {
    const berlin = offsets('Europe/Berlin')
    const shown = (month: number, day: number, hours: number, minutes: number) =>
      utcOf(berlin, Date.UTC(2027, month, day, hours, minutes) / 1000)
    expect(shown(0, 4, 8, 0)).toBe(Date.UTC(2027, 0, 4, 7) / 1000)
    expect(shown(6, 5, 8, 0)).toBe(Date.UTC(2027, 6, 5, 6) / 1000)
    expect(shown(9, 31, 2, 30)).toBe(Date.UTC(2027, 9, 31, 0, 30) / 1000)
    expect(shown(2, 28, 2, 30)).toBe(Date.UTC(2027, 2, 28, 1, 30) / 1000)
    expect(shown(2, 28, 3, 30)).toBe(Date.UTC(2027, 2, 28, 1, 30) / 1000)
  })
})
