// How serve and plan come to know what they would know had they always run: the same past, read back in the same way,
// so that both take the same decision. What is lost is said; it never keeps a command from going on.
import type { PolicySet } from '../core/policy.ts'
import { emptyState, type State } from '../core/state.ts'
import { catchUp, type Known, type Question, tickBefore } from '../loop/catchUp.ts'
import type { Clock } from '../loop/clock.ts'
import type { Reading } from '../loop/pastReader.ts'
import type { CatchUpOptions, CaughtUp, PastPorts, ReadPast } from '../loop/readPast.ts'
import { breather } from './breather.ts'
import type { Eyes } from './observing.ts'

/** A first decision without all of the past is better than none. */
const limitSeconds = 20

/** So long the first decision waits for all of the past, before it is taken with the last hour alone. */
const patienceSeconds = 3.5

/** Where some of the past could not be read, it is read anew, after so long at the earliest. */
const healSeconds = 60

/** Progress is said once this has passed, and then as often. */
const quietSeconds = 2

interface RememberPorts {
  readonly clock: Clock
  readonly eyes: Pick<Eyes, 'observePast' | 'lastDecided' | 'history'>
  readonly decide: PastPorts['decide']
  readonly progress: (text: string) => void
  readonly lost: (text: string) => void
}

interface PatientPorts extends RememberPorts {
  /** Begins to read the past up to a tick, beside all else. */
  readonly read: (policies: PolicySet, previous: number) => Promise<Reading>
  /** Whether decisions rest on all of the past from now on. */
  readonly rests: (on: 'allOfThePast' | 'someOfThePast') => void
}

type Remember = (question: Question, signal: AbortSignal) => Promise<State>

type Interval = Pick<CatchUpOptions, 'intervalSeconds'>

/** Waits for all of it. */
export function rememberer(ports: RememberPorts, { intervalSeconds }: Interval): Remember {
  return async (question, signal) => {
    if (ports.eyes.history === 'off') return question.known?.state ?? emptyState
    return (await remembered(ports, question, intervalSeconds, signal)).state
  }
}

/**
 * Waits for a while. A past that takes longer is learnt beside the first decisions, which rest on the last hour; once it is
 * there, the ticks since are decided anew on it, as a server decided them that always ran. Where some of it was lost, of a
 * start or of missed ticks, that is said, and all of it is read anew beside the decisions.
 */
export function patientRememberer(ports: PatientPorts, { intervalSeconds }: Interval): Remember {
  let reading: { readonly policies: PolicySet; readonly previous: number; readonly of: Reading } | undefined
  let arrived: CaughtUp | undefined
  let complete = false
  let healedAt = Number.NEGATIVE_INFINITY

  function restsOn(lost: readonly string[]): void {
    complete = lost.length === 0
    ports.rests(complete ? 'allOfThePast' : 'someOfThePast')
  }

  async function begin(policies: PolicySet, previous: number, signal: AbortSignal) {
    reading?.of.stop()
    healedAt = ports.clock.now()
    const of = await ports.read(policies, previous)
    signal.addEventListener('abort', of.stop, { once: true })
    const own = { policies, previous, of }
    reading = own
    arrived = undefined
    const whole = of.whole.then((caught) => {
      if (reading === own) arrived = caught
      return caught
    })
    return { of, whole }
  }

  const past: ReadPast = async (policies, previous, signal) => {
    const { of, whole } = await begin(policies, previous, signal)
    const patience = new AbortController()
    const waited = ports.clock.sleep(patienceSeconds, AbortSignal.any([signal, patience.signal]))
    const inTime = await Promise.race([whole, waited])
    patience.abort()
    signal.throwIfAborted()
    if (inTime !== undefined) {
      reading = undefined
      restsOn(inTime.lost)
      return inTime
    }
    const latest = await of.latest
    signal.throwIfAborted()
    return { state: latest ?? emptyState, lost: ['days before the last hour, so far'] }
  }

  /** The past that has arrived meanwhile, in place of what was known without it. */
  function overtaken({ policies, known }: Question): Known | undefined {
    if (reading === undefined || arrived === undefined || reading.policies !== policies) return known
    const { previous } = reading
    const { state, lost } = arrived
    reading = undefined
    arrived = undefined
    for (const text of lost) ports.lost(`not read back: ${text}`)
    if (lost.length > 0) return known
    ports.progress('history: read back, all of it')
    restsOn([])
    return { state, decidedAt: previous, policies }
  }

  return async (question, signal) => {
    if (ports.eyes.history === 'off') {
      ports.rests('allOfThePast')
      return question.known?.state ?? emptyState
    }
    const known = overtaken(question)
    const { state, lost } = await remembered(
      { ...ports, past },
      { ...question, known },
      intervalSeconds,
      signal,
    )
    if (lost.length > 0) restsOn(lost)
    if (!complete && reading === undefined && ports.clock.now() - healedAt >= healSeconds)
      await begin(question.policies, tickBefore(question.at, intervalSeconds), signal)
    return state
  }
}

async function remembered(
  ports: RememberPorts & { readonly past?: ReadPast },
  question: Question,
  intervalSeconds: number,
  signal: AbortSignal,
): Promise<CaughtUp> {
  const { clock, eyes, past } = ports
  const found = {
    clock,
    observe: eyes.observePast,
    lastDecided: eyes.lastDecided,
    decide: ports.decide,
    pause: breather(),
    progress: nowAndThen(clock, ports.progress),
    ...(past === undefined ? {} : { past }),
  }
  const caught = await catchUp(question, found, { intervalSeconds, limitSeconds }, signal)
  for (const text of caught.lost) ports.lost(`not read back: ${text}`)
  return caught
}

export function nowAndThen(clock: Clock, say: (text: string) => void): (text: string) => void {
  let said = clock.now()
  return (text) => {
    if (clock.now() - said < quietSeconds) return
    said = clock.now()
    say(text)
  }
}
