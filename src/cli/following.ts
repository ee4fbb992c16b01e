// How serve comes to answer like the others from its first moment: while its own past is read, it tells what one of them decided.
import type { Told } from '../core/observe/ownSeries.ts'
import type { Clock } from '../loop/clock.ts'
import { policiesDigest } from '../loop/digest.ts'
import { type FollowRules, followed } from '../loop/follow.ts'
import type { TellableDecision } from '../loop/publication.ts'
import type { LoopPorts } from '../loop/tick.ts'
import type { PatientRememberer } from './remembering.ts'

interface FollowPorts {
  readonly clock: Clock
  readonly memory: Pick<PatientRememberer, 'isWhole' | 'readMeanwhile'>
  /** What the servers on record told KEDA last, at an instant. */
  readonly record: (at: number, signal: AbortSignal) => Promise<readonly Told[]>
  /** Tells KEDA, and everybody, what another server decided. */
  readonly tell: (decision: TellableDecision) => void
}

export function follower(ports: FollowPorts, rules: FollowRules): NonNullable<LoopPorts['follow']> {
  let toldAt: number | undefined

  return async (policies, at, signal) => {
    const decision = ports.memory.isWhole(policies) ? undefined : await onRecord(policies, signal)
    if (decision === undefined) {
      toldAt = undefined
      return undefined
    }
    ports.memory.readMeanwhile(policies, at, signal)
    // One that decided last and is gone leaves those that are still to decide that tick.
    if (toldAt === undefined || decision.at > toldAt) {
      toldAt = decision.at
      ports.tell(decision)
    }
    return toldAt
  }

  async function onRecord(policies: Parameters<typeof followed>[0], signal: AbortSignal) {
    const now = ports.clock.now()
    // Without an answer there is nobody to follow; whether anything can be seen, the tick finds out.
    const record = await ports.record(now, signal).catch(() => [])
    return followed(policies, policiesDigest(policies), record, now, rules)
  }
}
