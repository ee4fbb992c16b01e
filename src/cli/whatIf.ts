// Plans under changed policies: `--what-if` and `--sweep`. The same decision on what applyWhatIf makes of the policies;
// both start without memory, as plan does.
import { decide } from '../core/decide.ts'
import type { Decision } from '../core/decision.ts'
import { applyWhatIf, sweep } from '../core/optimize/whatIf.ts'
import type { PolicySet } from '../core/policy.ts'
import type { Tools } from '../core/tools.ts'
import { totals } from '../core/totals.ts'
import type { Compared } from '../report/compared.ts'
import type { SweepStep } from '../report/sweepTable.ts'
import type { Flags } from './command.ts'
import { usageError } from './exit.ts'
import type { Scene } from './observeOnce.ts'
import type { Progress } from './progress.ts'

export const whatIfFlags = {
  'what-if': {
    type: 'string',
    placeholder: 'KEY=VALUE,...',
    text: 'plan as if: demand=2x, pool.h100=64, slo.chat.itl=60ms, price.h100=2.9, variant.l40s.max=0, budget=90, holdBand=0',
  },
  sweep: {
    type: 'string',
    placeholder: 'KEY=FROM..TO:STEPS',
    text: 'plan at several values, as a table: demand=0.5x..4x:8',
  },
} as const satisfies Flags

/** Throws a usage error that names every part that cannot be read. */
export function changed(policies: PolicySet, whatIf: string): PolicySet {
  const applied = applyWhatIf(policies, whatIf)
  if (applied.kind === 'applied') return applied.policies
  throw usageError(`--what-if cannot be applied:\n${applied.errors.map((error) => `  ${error}`).join('\n')}`)
}

/** The plan under the what-if against the plan without it. */
export function compared(
  whatIf: string,
  policies: PolicySet,
  under: PolicySet,
  decision: Decision,
  { observation, state }: Scene,
  tools: Tools,
): Compared {
  const { decision: without } = decide(policies, state, observation, tools)
  return { change: whatIf, without: totals(policies, without), with: totals(under, decision) }
}

export interface SweepPart {
  readonly value: string
  readonly policies: PolicySet
}

/** Throws a usage error where it is no sweep, or some value of it cannot be applied. */
export function sweepParts(policies: PolicySet, text: string): readonly SweepPart[] {
  const parts = sweep(text)
  if (typeof parts === 'string') throw usageError(`--${parts}`)
  return parts.map((part) => {
    const applied = applyWhatIf(policies, part)
    if (applied.kind === 'invalid')
      throw usageError(`--sweep cannot be applied: ${applied.errors.join('; ')}`)
    return { value: part.slice(part.indexOf('=') + 1), policies: applied.policies }
  })
}

export function swept(
  parts: readonly SweepPart[],
  { observation, state }: Scene,
  tools: Tools,
  progress: Progress,
): readonly SweepStep[] {
  const steps = parts.map(({ value, policies }, index): SweepStep => {
    const { decision } = decide(policies, state, observation, tools)
    progress.done(index + 1)
    return { value, policies, decision }
  })
  progress.end()
  return steps
}
