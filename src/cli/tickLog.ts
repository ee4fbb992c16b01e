// Ticks as log lines: what changed is news, what stays the same is not. A fault is said once, and once when it is over.
import type { Decision, PolicyDecision } from '../core/decision.ts'
import { isMissing } from '../core/reading.ts'
import { sentence } from '../core/sentence.ts'
import type { TickReport } from '../loop/tick.ts'
import type { Logger } from '../telemetry/logger.ts'

export function tickLog(logger: Logger): (report: TickReport) => void {
  let fault: string | undefined
  let follows = false
  let targets: ReadonlyMap<string, string> = new Map()
  let warnings: ReadonlySet<string> = new Set()

  function decided(decision: Decision): void {
    const said = new Map(decision.policies.map((policy) => [policy.id, headline(policy)]))
    for (const policy of decision.policies) {
      const log = said.get(policy.id) === targets.get(policy.id) ? logger.debug : logger.info
      log(fieldsOf(decision.at, policy), 'decided')
    }
    for (const warning of decision.warnings)
      if (!warnings.has(warning)) logger.warn({ at: decision.at }, warning)
    targets = said
    warnings = new Set(decision.warnings)
  }

  return ({ at, outcome, seconds }) => {
    switch (outcome.kind) {
      case 'repeated':
        return logger.debug({ at }, 'this tick was decided before')
      case 'failed': {
        // The cause may hold figures that differ from tick to tick: it does not make the same fault news.
        const { message, cause } = outcome.error
        const said = `${outcome.step}: ${message}`
        const log = said === fault ? logger.debug : logger.warn
        const why = typeof cause === 'string' ? { why: cause } : {}
        log({ at, step: outcome.step, error: message, ...why }, 'tick failed; the last decision stands')
        fault = said
        return
      }
      case 'followed':
        if (!follows)
          logger.info(
            { at: outcome.at },
            'the past is still read: KEDA is told what another server decided until then',
          )
        follows = true
        return
      case 'published':
        if (follows) logger.info({ at }, 'decides for itself')
        follows = false
        if (fault !== undefined) logger.info({ at }, 'ticks succeed again')
        fault = undefined
        logger.debug({ at, seconds }, 'tick')
        return decided(outcome.decision)
    }
  }
}

/** Equal for decisions that say the same to KEDA. */
function headline(policy: PolicyDecision): string {
  return JSON.stringify([policy.status, policy.variants.map(({ id, target }) => [id, target])])
}

function fieldsOf(
  at: number,
  { id, status, variants, costPerHour, reasons }: PolicyDecision,
): Readonly<Record<string, unknown>> {
  return {
    at,
    policy: id,
    status,
    targets: Object.fromEntries(
      variants.map(({ name, target }) => [name, isMissing(target) ? target.missing : target]),
    ),
    costPerHour,
    why: [
      ...reasons.map(sentence),
      ...variants.flatMap((variant) =>
        variant.reasons.map((reason) => `${variant.name}: ${sentence(reason)}`),
      ),
    ],
  }
}
