// Flag values as people write them.
import { expect, test } from 'vitest'
import { choiceFlag, durationFlag, instantFlag, portFlag } from '../../src/cli/values.ts'

const now = 1_760_000_400

test.each([
  ['now', now],
  ['1760000000', 1_760_000_000],
  ['-90s', now - 90],
  ['-1h30m', now - 5400],
  ['7d ago', now - 7 * 86_400],
  ['2025-10-09T09:00:00Z', now],
  ['2025-10-09T11:00+02:00', now],
  ['2025-10-09T09:00:00.5Z', now + 0.5],
])('the instant %s', (text, seconds) => {
  expect(instantFlag('at', text, now)).toBe(seconds)
})

// Without a zone an instant would depend on the machine that reads it.
test.each([
  '2025-10-09T09:00:00',
  'noon',
  '2025-13-45T00:00:00Z',
  '',
  '-5',
  '1e9',
])('%j is no instant', (text) => {
  expect(() => instantFlag('at', text, now)).toThrow(/--at/)
})

test('durations need a unit and are above 0', () => {
  expect(durationFlag('interval', '1m30s')).toBe(90)
  expect(() => durationFlag('interval', '15')).toThrow('--interval must be a duration')
  expect(() => durationFlag('interval', '0s')).toThrow('--interval must be above 0: got "0s"')
})

test('ports are whole numbers up to 65535, 0 included', () => {
  expect([portFlag('p', '0'), portFlag('p', '65535')]).toEqual([0, 65535])
  for (const text of ['65536', '-1', '80.5', '', 'http'])
    expect(() => portFlag('p', text)).toThrow('must be a port')
})

test('a choice is one of its words, and a near miss is recognised', () => {
  expect(choiceFlag('output', 'yaml', ['table', 'yaml'])).toBe('yaml')
  expect(() => choiceFlag('output', 'yml', ['table', 'yaml'])).toThrow('Did you mean yaml?')
})
