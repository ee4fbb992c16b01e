// What is not ours never becomes markup, script, or a formula in a spreadsheet.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { missing } from '../../src/core/reading.ts'
import { csvText } from '../../src/report/csv.ts'
import { html, scriptJson } from '../../src/report/html/markup.ts'
import { dollars, number, seconds, share, signedShare } from '../../src/report/html/number.ts'

test('text in a template is escaped in content and in attributes, markup and lists of it are not', () => {
  const name = `</script><img src=x onerror="alert('1')">&`
  const item = html`<li title="${name}">${name}</li>`
  const escaped = '&lt;/script&gt;&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;'
  expect(item.markup).toBe(`<li title="${escaped}">${escaped}</li>`)
  expect(html`<ul>${[item, undefined, 7, ['<', html`<br>`]]}</ul>`.markup).toBe(
    `<ul>${item.markup}7&lt;<br></ul>`,
  )
})

test('JSON in a script element ends no element, whatever is in it, and reads back as it was', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom('</script>', '<!--', ']]>', '\u2028'), (value, hostile) => {
      const document = { value, [hostile]: hostile }
      const { markup } = scriptJson(document)
      expect(markup).not.toMatch(/[<\u2028\u2029]/)
      expect(JSON.parse(markup)).toEqual(JSON.parse(JSON.stringify(document)))
    }),
  )
})

test('a missing value says why and is never a number', () => {
  expect(number(missing('stale', 'vllm:"x"'), dollars).markup).toBe(
    '<span class="missing" title="the newest sample is too old: vllm:&quot;x&quot;">no data</span>',
  )
  for (const none of [null, undefined])
    expect(number(none, dollars).markup).toBe('<span class="missing">no data</span>')
  expect(number(0, dollars).markup).toBe('<data value="0">$0.00</data>')
})

test('shares are never rounded up to all of them', () => {
  expect([1, 0.99996, 0.9996, 0.5, 0].map(share)).toEqual([
    '100.0 %',
    '99.996 %',
    '99.96 %',
    '50.0 %',
    '0.0 %',
  ])
})

test('money, changes and times read as people write them', () => {
  expect([999.5, 1490080].map(dollars)).toEqual(['$999.50', '$1\u2009490\u2009080'])
  expect([0.123, -0.05, 0].map(signedShare)).toEqual(['+12.3 %', '−5.0 %', '0.0 %'])
  expect([0.0084, 0.42, 1.25, 62].map(seconds)).toEqual(['8.4 ms', '420 ms', '1.25 s', '62.0 s'])
})

test('cells of a CSV keep separators and quotes, missing ones are empty, and names are no formulas', () => {
  expect(
    csvText([
      ['a,b', 'say "x"', 'two\nlines'],
      [1.5, missing('idle'), null],
      ['=cmd()', '-1', 'ok'],
    ]),
  ).toBe(`"a,b","say ""x""","two\nlines"\r\n1.5,,\r\n'=cmd(),'-1,ok\r\n`)
})
