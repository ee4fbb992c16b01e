// The limits of a backtest as JUnit XML: a test case for each limit and run, so that CI shows which one broke.
import type { Broken, Limit } from '../backtest/limits.ts'
import type { Result } from '../backtest/result.ts'
import { brokenLines, runName } from './backtestTable.ts'

export function junitText(
  results: readonly Result[],
  limits: readonly Limit[],
  failures: readonly (readonly Broken[])[],
): string {
  const cases = results.flatMap((result, i) =>
    limits.map((limit) => {
      const name = `name="${escaped(limit.text)}" classname="${escaped(runName(result))}"`
      const own = (failures[i] ?? []).filter((broken) => broken.limit === limit)
      if (own.length === 0) return `    <testcase ${name}/>`
      const message = escaped(brokenLines(result, own).join('; '))
      return `    <testcase ${name}>\n      <failure message="${message}"/>\n    </testcase>`
    }),
  )
  const failed = failures.flat().length === 0 ? 0 : cases.filter((text) => text.includes('<failure')).length
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<testsuites>',
    `  <testsuite name="mixscaler backtest" tests="${cases.length}" failures="${failed}">`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n')
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
