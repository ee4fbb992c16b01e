import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { defaultObserveOptions, type ObserveOptions, queryPlan } from '../../src/core/observe/queries.ts'
import { promql, quoted, tagged } from '../../src/prometheus/promql.ts'
import { labelled, owner, type PolicySketch, patterned, policySet } from '../observe/policies.ts'

function texts(options: Partial<ObserveOptions>, ...sketches: readonly PolicySketch[]): string {
  const plan = queryPlan(policySet(...sketches), { ...defaultObserveOptions, ...options })
  return plan.queries.map((query) => `# ${query.id}\n${promql(query)}\n`).join('\n')
}

describe('PromQL', () => {
  it('reads as in the golden file for variants recognised by owner', async () => {
    await expect(
      texts({}, { variants: [owner('h100', 'llama'), owner('l40s', 'llama-decode')] }),
    ).toMatchFileSnapshot('owner.golden.promql')
  })

  it('reads as in the golden file for variants recognised by a label, with another prefix and a cluster', async () => {
    const options = { metricPrefix: 'ray_vllm_', matchers: { cluster: 'eu-1' }, rateWindowSeconds: 120 }
    await expect(
      texts(
        options,
        { variants: [labelled('h100'), labelled('l40s')] },
        { namespace: 'batch', variants: [labelled('eval')] },
      ),
    ).toMatchFileSnapshot('label.golden.promql')
  })

  it('reads as in the golden file for patterns and LeaderWorkerSets, the longest pattern outermost', async () => {
    const variants = [
      patterned('decode', 'llama-decode-.*'),
      patterned('plain', 'llama-.*'),
      owner('multi', 'llama-405b', 'LeaderWorkerSet'),
    ]
    await expect(texts({}, { variants })).toMatchFileSnapshot('pattern.golden.promql')
  })

  it('reads as in the golden file where kube-state-metrics tells the owners', async () => {
    await expect(texts({ workloads: 'podOwner' }, { variants: [owner('h100')] })).toMatchFileSnapshot(
      'podOwner.golden.promql',
    )
  })

  it('reads as in the golden file for classes at gateways of every kind', async () => {
    const kinds = ['inferenceGateway', 'productionStack', 'dynamo', 'kserve'] as const
    const classes = kinds.map((kind) => ({
      name: kind,
      demand: {
        kind: 'gateway',
        gateway: kind,
        namespace: kind === 'dynamo' ? 'frontends' : 'chat',
        match: kind === 'kserve' ? { priority: '10' } : {},
      } as const,
    }))
    const plan = queryPlan(policySet({ variants: [owner('h100')], classes }), defaultObserveOptions)
    const atGateways = plan.queries.filter(({ id }) => id === 'gateways').map(promql)
    expect(atGateways).toHaveLength(1)
    await expect(`${atGateways.join()}\n`).toMatchFileSnapshot('gateways.golden.promql')
  })

  it.each([1, 10, 200])('asks the same number of queries for %i variants, at most 20', (count) => {
    const variants = Array.from(
      { length: count },
      (_, index) =>
        [owner(`v${index}`), labelled(`v${index}`), patterned(`v${index}`, `v${index}-.*`)][index % 3],
    ).filter((sketch) => sketch !== undefined)
    const { length } = queryPlan(policySet({ variants }), defaultObserveOptions).queries
    process.stdout.write(`${count} variants: ${length} queries per tick\n`)
    expect(length).toBe(12)
  })

  it('asks nothing where there are no variants', () => {
    expect(queryPlan(policySet(), defaultObserveOptions).queries).toEqual([])
  })

  it('quotes what a policy says, so that nothing ends a string or starts a capture', () => {
    expect(quoted('a"}) or vector(1) #\\\n')).toBe('"a\\"}) or vector(1) #\\\\\\n"')
    expect(quoted('\uD800')).toBe('"\uFFFD"')
    expect(tagged('up', 'x', '$1"')).toBe('label_replace(up, "x", "$$1\\"", "", "")')
  })

  it('is accepted by the parser of Prometheus, hostile names included', () => {
    const hostile = 'a"}) or vector(1) # $1 \\ {é}\n'
    const every = [
      {
        namespace: hostile,
        name: hostile,
        servedNames: [hostile],
        variants: [labelled('a', hostile), owner('b', hostile)],
      },
      {
        namespace: 'gateways',
        variants: [owner('e')],
        classes: [
          {
            name: 'x',
            demand: { kind: 'gateway', gateway: 'kserve', namespace: hostile, match: { priority: hostile } },
          } as const,
        ],
      },
      { variants: [owner('c', 'c', 'LeaderWorkerSet'), patterned('d', 'd-[0-9]{1,3}(?:-x)?\\.y')] },
    ]
    const queries = [
      ...queryPlan(policySet(...every), defaultObserveOptions).queries,
      ...queryPlan(policySet(...every), { ...defaultObserveOptions, workloads: 'podOwner' }).queries,
    ]
    const folder = mkdtempSync(join(tmpdir(), 'mixscaler-promql-'))
    try {
      const rules = queries.map((query, index) => ({ record: `q${index}`, expr: promql(query) }))
      writeFileSync(join(folder, 'rules.yml'), JSON.stringify({ groups: [{ name: 'all', rules }] }))
      const output = execFileSync('promtool', ['check', 'rules', join(folder, 'rules.yml')], {
        encoding: 'utf8',
      })
      expect(output).toContain(`${rules.length} rules found`)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('refuses a prefix or a matcher that is not a name', () => {
    const set = policySet({ variants: [owner('a')] })
    expect(() => queryPlan(set, { ...defaultObserveOptions, metricPrefix: 'vllm:{' })).toThrow(
      'metricPrefix must be the start of a metric\'s name: got "vllm:{"',
    )
    expect(() => queryPlan(set, { ...defaultObserveOptions, matchers: { 'a"': 'x' } })).toThrow(
      'matchers must be given by label names: got "a""',
    )
  })
})
