// `mixscaler explain`: why this count? What is asked, carried and limited, what binds, and what one change would do.
import { explain as explainPolicy } from '../core/explain/explain.ts'
import { type Subject, subjects } from '../core/explain/subject.ts'
import type { PolicySet } from '../core/policy.ts'
import { createTools } from '../core/tools.ts'
import { documentText } from '../report/documentText.ts'
import { explainDocument, explainText } from '../report/explainText.ts'
import { loadEngines } from '../solvers/engines.ts'
import { defineCommand } from './command.ts'
import { exitCodes, usageError } from './exit.ts'
import { observationFlags, recordedOrLive, requireSource } from './observeOnce.ts'
import { policyFlag, requirePolicies } from './policies.ts'
import { progress } from './progress.ts'
import { choiceFlag, outputFlag, outputs, plainColumns } from './values.ts'

export const explain = defineCommand({
  name: 'explain',
  summary: 'say why a count is what it is, and what would change it',
  usage:
    '[POLICY|MODEL|VARIANT] --policy PATH (--prometheus URL [--at TIME] | --observation FILE) [--output table|json|yaml]',
  description:
    'Decides as plan does, and explains the decision: what is asked, what each variant carries and what limits it,\n' +
    'what binds, what one more or one less would do, what stated bounds cost, and what helps where demand is short.\n' +
    'Each figure comes from the decision or from planning again; in brackets stands the --what-if that shows the plan.\n' +
    'Exit code 0: all demand is carried; 4: some is not; 1: a policy could not be planned.',
  flags: { policy: policyFlag, output: outputFlag, ...observationFlags },
  operands: 'allowed',
  examples: [
    {
      text: 'Why is this variant at 7?',
      command: 'mixscaler explain h100-tp4 --policy policies/ --prometheus http://localhost:9090',
    },
    {
      text: 'A whole model, from a recording, for a program',
      command:
        'mixscaler explain meta-llama/Llama-3.3-70B-Instruct -p policies/ --observation observation.json -o json',
    },
  ],
  run: async (values, terminal, operands) => {
    const output = choiceFlag('output', values.output, outputs)
    const [name, ...more] = operands
    if (more.length > 0)
      throw usageError(`explain takes one name: got ${operands.map((each) => `"${each}"`).join(', ')}`)
    requireSource(values)
    const { policies, warnings } = await requirePolicies(values.policy)
    for (const warning of warnings) terminal.error(`warning: ${warning}\n`)
    const asked =
      name === undefined ? policies.policies.map(({ id }) => ({ policy: id })) : named(policies, name)
    const tools = createTools(await loadEngines())
    const scene = { ...(await recordedOrLive(values, policies, tools, terminal)), tools }
    const shown = progress(terminal, 'explained', asked.length)
    const explanations = asked.map((subject, index) => {
      const explanation = explainPolicy(policies, scene, subject)
      shown.done(index + 1)
      return explanation
    })
    shown.end()
    terminal.out(
      output === 'table'
        ? explainText(explanations, terminal.columns ?? plainColumns)
        : documentText(explainDocument(explanations), output),
    )
    const statuses = new Set(explanations.map(({ decision }) => decision.status))
    if (statuses.has('shortfall')) return exitCodes.limitBroken
    return statuses.has('held') ? exitCodes.failed : exitCodes.good
  },
})

function named(policies: PolicySet, name: string): readonly Subject[] {
  const found = subjects(policies, name)
  switch (found.kind) {
    case 'found':
      return found.subjects
    case 'ambiguous':
      throw usageError(`variant "${name}" stands in several policies: name one of ${found.ids.join(', ')}`)
    case 'unknown': {
      const hint = found.nearest === undefined ? '' : ` Did you mean "${found.nearest}"?`
      throw usageError(
        `no policy, model or variant is called "${name}".${hint} There are ${found.known.join(', ')}`,
      )
    }
  }
}
