import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  durationText,
  type Parsed,
  parseDuration,
  parseMoneyPerHour,
  parseShare,
  parseTokens,
} from '../../src/policy/quantity.ts'

type Row = readonly [written: string | number, expected: number | string]

function check(parse: (written: string | number) => Parsed, rows: readonly Row[]): void {
  const read = rows.map(([written]) => {
    const parsed = parse(written)
    return [written, parsed.kind === 'number' ? parsed.value : parsed.message]
  })
  expect(read).toEqual(rows)
}

describe('A duration', () => {
  const form = 'must be a duration such as 90s, 50ms, 4h or 1h30m'

  it('is read as people write it, in seconds', () => {
    check(parseDuration, [
      ['90s', 90],
      ['50ms', 0.05],
      ['4h', 14_400],
      ['1h30m', 5400],
      ['1.5h', 5400],
      ['2d', 172_800],
      ['0.1ms', 0.0001],
      ['-1s', -1],
      ['0s', 0],
      [0, 0],
      [' 3m ', 180],
    ])
  })

  it('says what is wrong with what is none', () => {
    check(parseDuration, [
      [90, 'needs a unit, such as 90s or 90ms'],
      ['90', form],
      ['1:30', form],
      ['3 minutes', form],
      ['1h 30m', form],
      ['', form],
      ['s', form],
      ['1e3s', form],
      ['--1s', form],
      ['5M', form],
    ])
  })

  it('survives being written and read again, to the microsecond', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 * 86_400_000_000 }), (microseconds) => {
        const seconds = microseconds / 1e6
        const again = parseDuration(durationText(seconds))
        expect(again.kind).toBe('number')
        if (again.kind === 'number') expect(again.value).toBeCloseTo(seconds, 6)
      }),
    )
    expect([0, 0.05, 0.0066, 1.2655, 90, 5400, 90_061].map(durationText)).toEqual([
      '0s',
      '50ms',
      '6.6ms',
      '1.2655s',
      '1m30s',
      '1h30m',
      '1d1h1m1s',
    ])
  })

  it('is the sum of its parts', () => {
    const part = fc.tuple(fc.nat(999), fc.constantFrom('ms', 's', 'm', 'h', 'd'))
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
        const written = parts.map(([count, unit]) => `${count}${unit}`)
        const value = (text: string) => {
          const parsed = parseDuration(text)
          return parsed.kind === 'number' ? parsed.value : Number.NaN
        }
        const sum = written.map(value).reduce((total, seconds) => total + seconds, 0)
        expect(value(written.join(''))).toBeCloseTo(sum, 6)
      }),
    )
  })
})

describe('Money', () => {
  const form = 'must be money per hour such as $3.90/h'

  it('is read per hour, with or without its signs', () => {
    check(parseMoneyPerHour, [
      ['$3.90/h', 3.9],
      ['$3.90', 3.9],
      ['3.90/h', 3.9],
      ['$12 / h', 12],
      [3.9, 3.9],
      ['-$1/h', -1],
    ])
  })

  it('says what is wrong with what is none', () => {
    check(parseMoneyPerHour, [
      ['$3,90/h', form],
      ['€3/h', form],
      ['$90/d', form],
      ['$', form],
      ['free', form],
      ['1e3', form],
    ])
  })

  it('survives being written and read again, to the cent', () => {
    fc.assert(
      fc.property(fc.nat(100_000_000), fc.boolean(), fc.boolean(), (cents, hasSign, hasPeriod) => {
        const written = `${hasSign ? '$' : ''}${(cents / 100).toFixed(2)}${hasPeriod ? '/h' : ''}`
        expect(parseMoneyPerHour(written)).toEqual({ kind: 'number', value: cents / 100 })
      }),
    )
  })
})

describe('A share', () => {
  it('is a percentage or a plain number', () => {
    const form = 'must be a share such as 5% or 0.05'
    check(parseShare, [
      ['5%', 0.05],
      ['99.9%', 0.999],
      ['120%', 1.2],
      [0.05, 0.05],
      ['-5%', -0.05],
      ['0.05', form],
      ['5 %', form],
      ['%', form],
      ['5 percent', form],
    ])
  })

  it('is the same number however it is written', () => {
    fc.assert(
      fc.property(fc.nat(10_000), (basisPoints) => {
        expect(parseShare(`${basisPoints / 100}%`)).toEqual(parseShare(basisPoints / 10_000))
      }),
    )
  })
})

describe('A number of tokens', () => {
  it('is whole, in thousands or millions if so written', () => {
    const form = 'must be a whole number of tokens such as 8192, 400k or 1.5M'
    check(parseTokens, [
      [8192, 8192],
      ['400k', 400_000],
      ['1.5M', 1_500_000],
      ['4.096k', 4096],
      ['8192', 8192],
      [0, 0],
      [1.5, form],
      ['1.5', form],
      ['0.0001k', form],
      ['8KB', form],
      ['400K', form],
      ['k', form],
      ['', form],
      ['0x10', form],
      [1e300, form],
    ])
  })

  it('survives being written in thousands', () => {
    fc.assert(
      fc.property(fc.nat(10_000_000), (tokens) => {
        expect(parseTokens(`${tokens / 1000}k`)).toEqual(parseTokens(tokens))
      }),
    )
  })
})
