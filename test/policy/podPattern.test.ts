import { describe, expect, it } from 'vitest'
import { patternMistake, podPattern } from '../../src/policy/podPattern.ts'

describe('A pattern of pod names', () => {
  it.each([
    'llama-.*',
    '^llama-[a-z0-9]+-[a-z0-9]{5}$',
    'vllm-(?:a|b)(-canary)?-\\d+',
    'a\\.b\\-c',
    '[(?=)*+]',
    '\\(\\?=\\)',
    'a|b',
  ])('may be %s', (pattern) => {
    expect(patternMistake(pattern)).toBeUndefined()
  })

  it.each([
    ['(', 'compiles'],
    ['a)|(b', 'compiles'],
    ['a**', 'compiles'],
    ['[b-a]', 'compiles'],
    ['(?i)a', 'compiles'],
    ['(?=a)', 'look-around'],
    ['(?<!a)b', 'look-around'],
    ['(?<name>a)', 'look-around'],
    ['(a)\\1', 'back-references'],
    ['\\bpod', 'escapes'],
    ['\\x41', 'escapes'],
    ['\\\\\\z', 'escapes'],
    ['[]a]', 'class'],
    ['[[:digit:]]+', 'class'],
    ['a{1001}', '1000'],
    ['a{1,1001}', '1000'],
    ['(a+)+', 'repeat a group'],
    ['(a|a){2,}', 'repeat a group'],
    ['a?a?a?a?a?a?', '4 repetitions'],
    ['x'.repeat(201), '200 characters'],
  ])('must not be %s', (pattern, why) => {
    expect(patternMistake(pattern)).toContain(why)
  })

  it('matches whole names only', () => {
    expect(podPattern('a|b').test('ab')).toBe(false)
    expect(podPattern('llama-.*').test('my-llama-0')).toBe(false)
    expect(podPattern('llama-.*').test('llama-0')).toBe(true)
  })
})
