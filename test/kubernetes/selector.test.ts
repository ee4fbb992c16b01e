import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseSelector } from '../../src/kubernetes/selector.ts'

describe('label selectors as the scale subresource writes them', () => {
  test.each([
    ['app=vllm', { app: 'vllm' }, true],
    ['app=vllm', { app: 'other' }, false],
    ['app=vllm', {}, false],
    ['app==vllm,tier!=batch', { app: 'vllm', tier: 'chat' }, true],
    ['tier!=batch', {}, true],
    ['tier in (chat, eval),app=vllm', { tier: 'eval', app: 'vllm' }, true],
    ['tier in (chat,eval)', { tier: 'batch' }, false],
    ['tier notin (batch)', {}, true],
    ['tier notin (batch)', { tier: 'batch' }, false],
    ['app', { app: '' }, true],
    ['!canary', { app: 'vllm' }, true],
    ['!canary', { canary: '1' }, false],
    [
      'leaderworkerset.sigs.k8s.io/name=a,leaderworkerset.sigs.k8s.io/worker-index=0',
      { 'leaderworkerset.sigs.k8s.io/name': 'a', 'leaderworkerset.sigs.k8s.io/worker-index': '0' },
      true,
    ],
    ['toString', {}, false],
  ])('%s on %j: %s', (text, labels, matches) => {
    expect(parseSelector(text)?.(labels)).toBe(matches)
  })

  test.each([
    '',
    '  ',
    'app=vllm,',
    'a in b',
    'a > 1',
    'app=(x)',
  ])('%j matches nothing rather than all', (text) => {
    expect(parseSelector(text)).toBeUndefined()
  })

  test('text of any kind never throws', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseSelector(text)?.({ app: 'vllm' })
      }),
    )
  })

  test('labels written as equalities select themselves, and not without one of them', () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/)
    fc.assert(
      fc.property(fc.dictionary(word, word, { minKeys: 1 }), (labels) => {
        const entries = Object.entries(labels)
        const selector = parseSelector(entries.map(([key, value]) => `${key}=${value}`).join(','))
        expect(selector?.(labels)).toBe(true)
        expect(selector?.(Object.fromEntries(entries.slice(1)))).toBe(false)
      }),
    )
  })
})
