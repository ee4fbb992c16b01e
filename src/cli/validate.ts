// `mixscaler validate`: are these policies right? Every problem at once, for people, editors and CI.
import type { LoadedPolicies } from '../policy/load.ts'
import { problemExcerpt } from '../policy/problem.ts'
import { defineCommand } from './command.ts'
import { exitCodes } from './exit.ts'
import { loadPoliciesAt, policyFlag } from './policies.ts'
import { choiceFlag } from './values.ts'

export const validate = defineCommand({
  name: 'validate',
  summary: 'check policy files',
  usage: '--policy PATH [--output text|json]',
  description:
    'Reads the policies as serve would, asks nothing of Prometheus or Kubernetes, and lists every problem with\n' +
    'file, line and column. Exit code 0: valid (warnings allowed), 3: not valid.',
  flags: {
    policy: policyFlag,
    output: { type: 'string', short: 'o', default: 'text', placeholder: 'text|json', text: 'how to print' },
  },
  examples: [
    { text: 'One file', command: 'mixscaler validate --policy policies/chat.yaml' },
    { text: 'All files together, in CI', command: 'mixscaler validate --policy policies/ --output json' },
  ],
  run: async ({ policy, output }, terminal) => {
    const format = choiceFlag('output', output, ['text', 'json'])
    const { loaded } = await loadPoliciesAt(policy)
    terminal.out(format === 'json' ? `${JSON.stringify(loaded, null, 2)}\n` : report(loaded))
    return loaded.kind === 'loaded' ? exitCodes.good : exitCodes.invalidPolicy
  },
})

function report(loaded: LoadedPolicies): string {
  if (loaded.kind === 'invalid')
    return `${loaded.problems.map(problemExcerpt).join('\n\n')}\n\n${counted(loaded.problems.length, 'problem')}\n`
  const { policies } = loaded.policies
  const names = policies.map(
    ({ id, classes, variants }) =>
      `${id}: ${counted(classes.length, 'class', 'classes')}, ${counted(variants.length, 'variant')}`,
  )
  const warnings = loaded.warnings.map((warning) => `warning: ${problemExcerpt(warning)}\n`)
  return `${[...warnings, ...names].join('\n')}\nvalid: ${counted(policies.length, 'policy', 'policies')}\n`
}

function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
