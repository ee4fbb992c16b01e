// Several scalers as KEDA sees them behind a headless Service: processes of their own that are killed and started again on
// the same ports, what each answers for which tick, and streams that KEDA would keep open to any of them.
import { setTimeout as sleep } from 'node:timers/promises'
import { type KedaClient, kedaClient, type ScaledObjectRef } from '../../src/demo/kedaProtocol.ts'
import { freePort } from './prometheus.ts'
import { type RealScaler, startScaler } from './scaler.ts'

export interface ScalerSet {
  /** For KEDA: all of them. */
  readonly address: string
  readonly count: number
  readonly isUp: (index: number) => boolean
  readonly kill: (index: number) => void
  readonly start: (index: number) => Promise<void>
  /** What one server answers for which tick, a hundred refs at a time; those without an answer, or in between two ticks, left out. */
  readonly ask: (index: number, refs: readonly ScaledObjectRef[]) => Promise<readonly Answered[]>
  readonly log: (index: number) => RealScaler['log']
  readonly stop: () => Promise<void>
}

export interface Answered {
  readonly at: number
  /** Which of the refs the first value is for. */
  readonly first: number
  readonly values: readonly number[]
  /** Digest of what was seen at that tick, where it is told. */
  readonly saw: string | undefined
  /** As far as it says so itself. */
  readonly knows: Knows
}

/** What an answer rests on: of the past, or on what another server decided. */
type Knows = 'allOfThePast' | 'someOfThePast' | 'anothersDecision'

const refsAtATime = 100

/** Where the metrics of so many scalers are to be found, whoever is started again. */
export function httpPorts(count: number): Promise<readonly number[]> {
  return Promise.all(Array.from({ length: count }, freePort))
}

/** One for each of the HTTP ports. */
export async function startScalers(
  http: readonly number[],
  intervalSeconds: number,
  flags: readonly string[],
): Promise<ScalerSet> {
  const count = http.length
  const ports = await Promise.all(Array.from({ length: count }, freePort))
  const clients = ports.map((port) => kedaClient(`127.0.0.1:${port}`))
  const running: (RealScaler | undefined)[] = ports.map(() => undefined)
  const start = async (index: number): Promise<void> => {
    running[index] = await startScaler([
      ...flags,
      '--interval',
      `${intervalSeconds}s`,
      ...['--grpc-port', String(ports[index]), '--http-port', String(http[index])],
    ])
  }
  await Promise.all(ports.map((_, index) => start(index)))
  return {
    address: `ipv4:${ports.map((port) => `127.0.0.1:${port}`).join(',')}`,
    count,
    isUp: (index) => running[index] !== undefined,
    kill: (index) => {
      running[index]?.kill()
      running[index] = undefined
    },
    start,
    ask: async (index, refs) => {
      const [scaler, client] = [running[index], clients[index]]
      const answered: Answered[] = []
      if (scaler === undefined || client === undefined) return answered
      try {
        let before = (await toldAt(scaler))?.at
        for (let first = 0; first < refs.length; first += refsAtATime) {
          const some = refs.slice(first, first + refsAtATime)
          const values = await Promise.all(some.map((ref) => valueFor(client, ref)))
          const after = await toldAt(scaler)
          if (before !== undefined && before === after?.at)
            answered.push({
              at: before,
              first,
              values,
              saw: undefined,
              knows: after.by === 'itself' ? 'allOfThePast' : 'anothersDecision',
            })
          before = after?.at
        }
        const { digests, past } = await toldBy(scaler)
        const told = await toldAt(scaler)
        if (before !== undefined && before === told?.at && told.by === 'itself') {
          const slot = Math.round(before / intervalSeconds) % 8
          const at = before
          return answered.map((some) => ({
            ...some,
            knows: some.knows === 'anothersDecision' ? some.knows : past,
            ...(some.at === at ? { saw: digests.get(slot) } : {}),
          }))
        }
      } catch {
        // Killed meanwhile, or nothing decided yet: what was heard before that counts.
      }
      return answered
    },
    log: (index) => running[index]?.log ?? [],
    stop: async () => {
      for (const client of clients) client.close()
      await Promise.all(running.map((scaler) => scaler?.stop()))
    },
  }
}

/** The tick that KEDA is told of, and who decided it. */
async function toldAt({
  httpUrl,
}: RealScaler): Promise<{ readonly at: number; readonly by: 'itself' | 'another' } | undefined> {
  const answer = await fetch(`${httpUrl}/api/v1/plan`)
  const told = (await answer.json()) as { readonly at: number; readonly followed?: { readonly at: number } }
  if (answer.ok) return { at: told.at, by: 'itself' }
  return told.followed === undefined ? undefined : { at: told.followed.at, by: 'another' }
}

/** By the metrics that operators compare servers by: digests of observations, by slot, and whether the past was read. */
async function toldBy({ httpUrl }: RealScaler): Promise<{
  readonly digests: ReadonlyMap<number, string>
  readonly past: Exclude<Knows, 'anothersDecision'>
}> {
  const text = await (await fetch(`${httpUrl}/metrics`)).text()
  const lines = text.matchAll(/^mixscaler_tick_digest\{of="observation",slot="(\d)"\} (\d+)$/gm)
  return {
    digests: new Map([...lines].map(([, slot, value]) => [Number(slot), value ?? ''])),
    past: /^mixscaler_past_read 1$/m.test(text) ? 'allOfThePast' : 'someOfThePast',
  }
}

async function valueFor(client: KedaClient, ref: ScaledObjectRef): Promise<number> {
  const [value] = await client.getMetrics(ref, '')
  if (value === undefined) throw new Error('no value')
  return value.metricValue
}

export interface Compared {
  readonly ticks: number
  readonly values: number
  /** By tick: sentences. */
  readonly disagreements: readonly { readonly at: number; readonly text: string }[]
}

/** Answers by tick and ref: all that were given for one are to be the same. */
export class Answers {
  private readonly byTick = new Map<number, Map<number, Map<number, number>>>()
  private readonly saw = new Map<number, Map<number, string>>()
  private readonly unread = new Set<number>()
  private readonly followed = new Map<number, Set<number>>()

  add(index: number, some: readonly Answered[]): void {
    for (const { at, first, values, saw, knows } of some) {
      if (knows === 'someOfThePast') this.unread.add(at)
      if (knows === 'anothersDecision')
        this.followed.set(index, (this.followed.get(index) ?? new Set()).add(at))
      if (saw !== undefined) this.saw.set(at, (this.saw.get(at) ?? new Map<number, string>()).set(index, saw))
      const byRef = this.byTick.get(at) ?? new Map<number, Map<number, number>>()
      this.byTick.set(at, byRef)
      values.forEach((value, i) => {
        const given = byRef.get(first + i) ?? new Map<number, number>()
        byRef.set(first + i, given.set(index, value))
      })
    }
  }

  /** For how many ticks a server was heard. */
  heardOf(index: number): number {
    return [...this.byTick.values()].filter((byRef) => [...byRef.values()].some((given) => given.has(index)))
      .length
  }

  /** Ticks for which a server told what another one decided. */
  followedBy(index: number): ReadonlySet<number> {
    return this.followed.get(index) ?? new Set()
  }

  /** Agreement on a constant would prove nothing: how many different values each ref was given, added up. */
  get different(): number {
    const values = new Map<number, Set<number>>()
    for (const byRef of this.byTick.values()) {
      for (const [ref, given] of byRef)
        values.set(ref, new Set([...(values.get(ref) ?? []), ...given.values()]))
    }
    return [...values.values()].reduce((sum, { size }) => sum + size, 0)
  }

  /** Ticks at which two servers are known to have seen different worlds: there they may differ. */
  get differentViews(): ReadonlySet<number> {
    return new Set([...this.saw].filter(([, views]) => new Set(views.values()).size > 1).map(([at]) => at))
  }

  /** Ticks at which a server said that it had not read all of its past. */
  get withoutPast(): ReadonlySet<number> {
    return this.unread
  }

  /** Ticks at which several servers are known to have seen the same: there they must not differ. */
  get sameViews(): ReadonlySet<number> {
    const alike = [...this.saw].filter(([, views]) => views.size > 1 && new Set(views.values()).size === 1)
    return new Set(alike.map(([at]) => at))
  }

  /** What more than one server was heard on. */
  get compared(): Compared {
    const disagreements: { at: number; text: string }[] = []
    const ticks = new Set<number>()
    let values = 0
    for (const [at, byRef] of this.byTick) {
      for (const [ref, given] of byRef) {
        if (given.size < 2) continue
        ticks.add(at)
        values += given.size - 1
        if (new Set(given.values()).size > 1) {
          const said = [...given].map(([index, value]) => `server ${index} says ${value}`)
          disagreements.push({ at, text: `tick ${at}, ref ${ref}: ${said.join(', ')}` })
        }
      }
    }
    return { ticks: ticks.size, values, disagreements }
  }
}

/** KEDA's first pause after a stream ended; it grows where a stream ends with an error again and again. */
const firstPauseSeconds = 2

/** A stream kept open as KEDA keeps it. Tells how long each interruption lasted, until the first message after it. */
export function keepStream(
  client: KedaClient,
  ref: ScaledObjectRef,
  interrupted: (seconds: number) => void,
): () => void {
  let stopped = false
  let lostAt: number | undefined
  let cancel = (): void => undefined
  const open = (): void => {
    if (stopped) return
    const stream = client.streamIsActive(ref)
    cancel = () => stream.cancel()
    let over = false
    const ended = (): void => {
      if (over || stopped) return
      over = true
      lostAt ??= performance.now()
      void sleep(firstPauseSeconds * 1000).then(open)
    }
    stream.on('data', () => {
      if (lostAt !== undefined) interrupted((performance.now() - lostAt) / 1000)
      lostAt = undefined
    })
    stream.on('error', ended)
    stream.on('end', ended)
  }
  open()
  return () => {
    stopped = true
    cancel()
  }
}
