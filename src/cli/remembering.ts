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
const patienceSeconds = 3

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
  readonly read: (policies: PolicySet, previous: number) => Reading
  /** Whether decisions rest on all of the past from now on. */
  readonly rests: (on: 'allOfThePast' | 'someOfThePast') => void
}

export interface PatientRememberer {
  readonly remember: Remember
  /** Whether a decision under these policies would rest on all of the past. */
  readonly isWhole: (policies: PolicySet) => boolean
  /** Reads the past up to the tick before, where that is not under way, while nothing is decided. */
  readonly readMeanwhile: (policies: PolicySet, at: number, signal: AbortSignal) => void
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
export function patientRememberer(ports: PatientPorts, { intervalSeconds }: Interval): PatientRememberer {
  let reading: UnderWay | undefined
  /** Under which decisions rest on all of the past. */
  let wholeUnder: PolicySet | undefined
  let healedAt = Number.NEGATIVE_INFINITY

  function restsOn(policies: PolicySet, lost: readonly string[]): void {
    wholeUnder = lost.length === 0 ? policies : undefined
    ports.rests(wholeUnder === undefined ? 'someOfThePast' : 'allOfThePast')
  }

  function begin(policies: PolicySet, previous: number, signal: AbortSignal) {
    reading?.of.stop()
    healedAt = ports.clock.now()
    const of = ports.read(policies, previous)
    signal.addEventListener('abort', of.stop, { once: true })
    const own: UnderWay = { policies, previous, of }
    reading = own
    const whole = of.whole.then((caught) => {
      own.arrived = caught
      return caught
    })
    return { of, whole }
  }

  /** What is read of the past of these policies; what has lost some is over, and read anew later. */
  function underWay(policies: PolicySet): UnderWay | undefined {
    const lost = reading?.arrived?.lost ?? []
    for (const text of lost) ports.lost(`not read back: ${text}`)
    if (lost.length > 0) reading = undefined
    return reading?.policies === policies ? reading : undefined
  }

  const past: ReadPast = async (policies, previous, signal) => {
    const { of, whole } = begin(policies, previous, signal)
    const patience = new AbortController()
    const waited = ports.clock.sleep(patienceSeconds, AbortSignal.any([signal, patience.signal]))
    const inTime = await Promise.race([whole, waited])
    patience.abort()
    signal.throwIfAborted()
    if (inTime !== undefined) {
      reading = undefined
      restsOn(policies, inTime.lost)
      return inTime
    }
    const latest = await of.latest
    signal.throwIfAborted()
    return { state: latest ?? emptyState, lost: [soFar] }
  }

  /** The past that has arrived meanwhile, in place of what was known without it. */
  async function overtaken({ policies, known }: Question): Promise<Known | undefined> {
    const own = underWay(policies)
    if (own === undefined) return known
    const { previous: decidedAt, of, arrived } = own
    if (arrived !== undefined) {
      reading = undefined
      ports.progress('history: read back, all of it')
      restsOn(policies, [])
      return { state: arrived.state, decidedAt, policies }
    }
    if (known?.policies === policies) return known
    // Nothing was decided yet while it was read.
    const latest = await of.latest
    if (latest === undefined) return known
    ports.lost(`not read back: ${soFar}`)
    return { state: latest, decidedAt, policies }
  }

  const isTimeToHeal = (): boolean => ports.clock.now() - healedAt >= healSeconds

  async function remember(question: Question, signal: AbortSignal): Promise<State> {
    if (ports.eyes.history === 'off') {
      ports.rests('allOfThePast')
      return question.known?.state ?? emptyState
    }
    const known = await overtaken(question)
    const { state, lost } = await remembered(
      { ...ports, past },
      { ...question, known },
      intervalSeconds,
      signal,
    )
    const { policies, at } = question
    if (lost.length > 0) restsOn(policies, lost)
    if (wholeUnder !== policies && reading === undefined && isTimeToHeal())
      begin(policies, tickBefore(at, intervalSeconds), signal)
    return state
  }

  return {
    remember,
    isWhole: (policies) =>
      ports.eyes.history === 'off' || wholeUnder === policies || underWay(policies)?.arrived !== undefined,
    readMeanwhile: (policies, at, signal) => {
      const isOfOthers = reading !== undefined && reading.policies !== policies
      if (underWay(policies) === undefined && (isOfOthers || isTimeToHeal()))
        begin(policies, tickBefore(at, intervalSeconds), signal)
    },
  }
}

/** A past that is read, and what came of it in the end. */
interface UnderWay {
  readonly policies: PolicySet
  /** The last tick of it. */
  readonly previous: number
  readonly of: Reading
  arrived?: CaughtUp
}

/** What is lost to a decision that is taken before all of the past is there. */
const soFar = 'days before the last hour, so far'

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
