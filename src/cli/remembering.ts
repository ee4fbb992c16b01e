// How serve and plan come to know what they would know had they always run: the same past, read back in the same way,
// so that both take the same decision. What is lost is said; it never keeps a command from going on.
import { emptyState, type State } from '../core/state.ts'
import { catchUp, type Question } from '../loop/catchUp.ts'
import type { Clock } from '../loop/clock.ts'
import type { CatchUpOptions, PastPorts } from '../loop/readPast.ts'
import { breather } from './breather.ts'
import type { Eyes } from './observing.ts'

/** A first decision without all of the past is better than none. */
const limitSeconds = 20

/** Progress is said once this has passed, and then as often. */
const quietSeconds = 2

interface RememberPorts {
  readonly clock: Clock
  readonly eyes: Pick<Eyes, 'observePast' | 'targets' | 'history'>
  readonly decide: PastPorts['decide']
  readonly progress: (text: string) => void
  readonly lost: (text: string) => void
}

export function rememberer(
  ports: RememberPorts,
  { intervalSeconds }: Pick<CatchUpOptions, 'intervalSeconds'>,
): (question: Question, signal: AbortSignal) => Promise<State> {
  const { clock, eyes } = ports
  return async (question, signal) => {
    if (eyes.history === 'off') return question.known?.state ?? emptyState
    let said = clock.now()
    const past: PastPorts = {
      clock,
      observe: eyes.observePast,
      targets: eyes.targets,
      decide: ports.decide,
      pause: breather(),
      progress: (text) => {
        if (clock.now() - said < quietSeconds) return
        said = clock.now()
        ports.progress(text)
      },
    }
    const { state, lost } = await catchUp(question, past, { intervalSeconds, limitSeconds }, signal)
    for (const text of lost) ports.lost(`not read back: ${text}`)
    return state
  }
}
