// A journal, decided again: every decision must come out byte for byte, and the first that does not is named by its place
// and by what differs first in it.
import type { Decided } from '../core/decide.ts'
import type { Observation } from '../core/observation.ts'
import type { PolicySet } from '../core/policy.ts'
import type { State } from '../core/state.ts'
import { digest } from './digest.ts'
import { type JournalLine, parseLine } from './journalLines.ts'

export interface PlacedText {
  readonly file: string
  readonly line: number
  readonly text: string
}

export interface Replayed {
  readonly decisions: number
  /** Of the first and last decision; absent where there is none. */
  readonly from?: number
  readonly until?: number
  /** Versions that wrote it. */
  readonly writers: readonly string[]
  readonly policies: readonly { readonly digest: string; readonly ids: readonly string[] }[]
  /** Lines that a writer left unfinished when it ended. */
  readonly cutShort: number
  readonly difference?: Difference
}

export interface Difference {
  readonly file: string
  readonly line: number
  /** Of the tick, where the line is one. */
  readonly at?: number
  /** Where in the decision: `policies[0].variants[1].target`. Or what else is wrong with the line. */
  readonly path: string
  readonly journal?: string
  readonly replay?: string
}

type Decide = (policies: PolicySet, state: State, observation: Observation) => Decided

/** Stops at the first difference. */
export async function replayJournal(lines: AsyncIterable<PlacedText>, decide: Decide): Promise<Replayed> {
  const replay = new Replay(decide)
  for await (const placed of lines) {
    if (placed.text.trim() === '') continue
    const difference = replay.take(placed)
    if (difference !== undefined) return { ...replay.summary(), difference }
  }
  return replay.summary()
}

class Replay {
  private readonly decide: Decide
  private readonly policies = new Map<string, PolicySet>()
  private readonly writers = new Set<string>()
  private state: { readonly state: State; readonly digest: string } | undefined
  private decisions = 0
  private cutShort = 0
  /** Unreadable, which only the end of a writer excuses. */
  private unread: Difference | undefined
  private from: number | undefined
  private until: number | undefined

  constructor(decide: Decide) {
    this.decide = decide
  }

  take({ file, line, text }: PlacedText): Difference | undefined {
    const parsed = parseLine(text)
    const place = { file, line }
    if (this.unread !== undefined) {
      if (typeof parsed === 'string' || parsed.kind !== 'writer') return this.unread
      this.unread = undefined
      this.cutShort += 1
    }
    if (typeof parsed === 'string') {
      this.unread = { ...place, path: parsed }
      return undefined
    }
    switch (parsed.kind) {
      case 'writer':
        this.writers.add(parsed.version)
        return undefined
      case 'policies':
        this.policies.set(parsed.digest, parsed.policies)
        return undefined
      case 'state':
        this.state = parsed
        return undefined
      case 'tick':
        return this.again(parsed, place)
    }
  }

  private again(
    tick: Extract<JournalLine, { kind: 'tick' }>,
    where: { readonly file: string; readonly line: number },
  ): Difference | undefined {
    const place = { ...where, at: tick.at }
    const policies = this.policies.get(tick.policies)
    if (policies === undefined) return { ...place, path: `policies ${tick.policies} stand nowhere before` }
    if (this.state === undefined) return { ...place, path: 'no state stands before it' }
    if (this.state.digest !== tick.before) {
      return { ...place, path: 'state before', journal: tick.before, replay: this.state.digest }
    }
    const { decision, state } = this.decide(policies, this.state.state, tick.observation)
    const differs = firstDifference(tick.decision, JSON.parse(JSON.stringify(decision)))
    if (differs !== undefined) return { ...place, ...differs }
    if (JSON.stringify(tick.decision) !== JSON.stringify(decision)) {
      return { ...place, path: 'the order of keys' }
    }
    const text = JSON.stringify(state)
    this.state = { state: JSON.parse(text), digest: digest(text) }
    this.decisions += 1
    this.from ??= tick.at
    this.until = tick.at
    return undefined
  }

  summary(): Replayed {
    return {
      decisions: this.decisions,
      ...(this.from === undefined ? {} : { from: this.from }),
      ...(this.until === undefined ? {} : { until: this.until }),
      writers: [...this.writers],
      policies: [...this.policies].map(([name, set]) => ({
        digest: name,
        ids: set.policies.map(({ id }) => id),
      })),
      cutShort: this.cutShort + (this.unread === undefined ? 0 : 1),
    }
  }
}

/** Of two JSON values: where they differ first, and what stands there. */
function firstDifference(
  journal: unknown,
  replay: unknown,
  path = '',
): Pick<Difference, 'path' | 'journal' | 'replay'> | undefined {
  if (Object.is(journal, replay)) return undefined
  if (!isBranch(journal) || !isBranch(replay) || Array.isArray(journal) !== Array.isArray(replay)) {
    return { path: path === '' ? 'decision' : path, journal: shown(journal), replay: shown(replay) }
  }
  const [was, is] = [new Map(Object.entries(journal)), new Map(Object.entries(replay))]
  for (const key of new Set([...was.keys(), ...is.keys()])) {
    const inside = Array.isArray(journal) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`
    const found = firstDifference(was.get(key), is.get(key), inside)
    if (found !== undefined) return found
  }
  return undefined
}

function isBranch(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 200)
}
