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
  /** What one server answers, by ref, and for which tick; undefined where it has no answer, or was in between two. */
  readonly ask: (index: number, refs: readonly ScaledObjectRef[]) => Promise<Answered | undefined>
  readonly log: (index: number) => RealScaler['log']
  readonly stop: () => Promise<void>
}

export interface Answered {
  readonly at: number
  readonly values: readonly number[]
}

export async function startScalers(count: number, flags: readonly string[]): Promise<ScalerSet> {
  const ports = await Promise.all(Array.from({ length: count }, freePort))
  const clients = ports.map((port) => kedaClient(`127.0.0.1:${port}`))
  const running: (RealScaler | undefined)[] = ports.map(() => undefined)
  const start = async (index: number): Promise<void> => {
    running[index] = await startScaler([...flags, '--grpc-port', String(ports[index])])
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
      if (scaler === undefined || client === undefined) return undefined
      try {
        const before = await tickOf(scaler)
        const values = await Promise.all(refs.map((ref) => valueFor(client, ref)))
        return before !== undefined && before === (await tickOf(scaler)) ? { at: before, values } : undefined
      } catch {
        return undefined // killed meanwhile, or nothing decided yet
      }
    },
    log: (index) => running[index]?.log ?? [],
    stop: async () => {
      for (const client of clients) client.close()
      await Promise.all(running.map((scaler) => scaler?.stop()))
    },
  }
}

async function tickOf({ httpUrl }: RealScaler): Promise<number | undefined> {
  const answer = await fetch(`${httpUrl}/api/v1/plan`)
  return answer.ok ? ((await answer.json()) as { readonly at: number }).at : undefined
}

async function valueFor(client: KedaClient, ref: ScaledObjectRef): Promise<number> {
  const [value] = await client.getMetrics(ref, '')
  if (value === undefined) throw new Error('no value')
  return value.metricValue
}

/** Answers by tick: all that were given for one are to be the same. */
export class Answers {
  private readonly byTick = new Map<number, Map<number, readonly number[]>>()

  add(index: number, { at, values }: Answered): void {
    const given = this.byTick.get(at) ?? new Map<number, readonly number[]>()
    this.byTick.set(at, given.set(index, values))
  }

  /** For how many ticks a server was heard. */
  heardOf(index: number): number {
    return [...this.byTick.values()].filter((given) => given.has(index)).length
  }

  /** Every different set of answers: agreement on a constant would prove nothing. */
  get targets(): ReadonlySet<string> {
    return new Set([...this.byTick.values()].flatMap((given) => [...given.values()].map((all) => all.join())))
  }

  /** The ticks for which more than one server was heard, and how many values differed from the first one's. */
  get compared(): {
    readonly ticks: number
    readonly values: number
    readonly disagreements: readonly string[]
  } {
    const disagreements: string[] = []
    let ticks = 0
    let compared = 0
    for (const [at, given] of this.byTick) {
      const [first, ...others] = [...given]
      if (first === undefined || others.length === 0) continue
      ticks += 1
      for (const [index, values] of others) {
        values.forEach((value, i) => {
          compared += 1
          if (value !== first[1][i]) {
            disagreements.push(
              `tick ${at}, ref ${i}: server ${first[0]} says ${first[1][i]}, server ${index} ${value}`,
            )
          }
        })
      }
    }
    return { ticks, values: compared, disagreements }
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
