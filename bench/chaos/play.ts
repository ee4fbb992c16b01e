// A day of traffic under the scaler, KEDA and the HPA, with faults: second by second on a virtual clock. After every restart a twin
// that was never ended goes on beside the new process, so that what the restart changed can be seen tick by tick.
import { Actuator } from '../../src/backtest/actuator.ts'
import { defaultPlant, epochSeconds } from '../../src/backtest/backtest.ts'
import type { Signal } from '../../src/backtest/controller.ts'
import { recommendedActuation } from '../../src/backtest/ours.ts'
import { RequestPlant } from '../../src/backtest/requestPlant.ts'
import type { MinuteCounts } from '../../src/backtest/serviceBook.ts'
import { ServiceBook } from '../../src/backtest/serviceBook.ts'
import type { Site, SiteVariant } from '../../src/backtest/site.ts'
import { busiest, sizedFor } from '../../src/backtest/sized.ts'
import { requestsOf } from '../../src/backtest/traffic/requests.ts'
import type { Traffic } from '../../src/backtest/traffic/traffic.ts'
import type { PolicyDecision, VariantDecision } from '../../src/core/decision.ts'
import type { VariantId } from '../../src/core/policy.ts'
import { isMissing } from '../../src/core/reading.ts'
import type { Tools } from '../../src/core/tools.ts'
import { type VirtualClock, virtualClock } from '../../test/loop/virtualClock.ts'
import { type Fault, failuresOf } from './faults.ts'
import { Monitoring } from './monitoring.ts'
import { partings } from './partings.ts'
import { type Scaler, startScaler } from './scaler.ts'

export interface PlayOptions {
  readonly site: Site
  readonly traffic: Traffic
  readonly tools: Tools
  readonly faults: readonly Fault[]
  readonly warmupSeconds: number
  readonly seed: number
}

export interface Played {
  /** Of all classes, by minute. */
  readonly minutes: Pick<MinuteCounts, 'arrived' | 'good'>
  /** Since the warm-up. */
  readonly dollarsPerHour: number
  readonly outcomes: Readonly<Record<string, number>>
  /** Seconds at which all targets of a policy with traffic were 0. */
  readonly zeros: readonly number[]
  /** What KEDA was told fell for a variant that could not be seen. */
  readonly blindFalls: readonly string[]
  readonly restarts: readonly Restart[]
  /** At every tick's second. */
  readonly told: readonly Told[]
}

interface Told {
  readonly second: number
  /** What KEDA gets. */
  readonly targets: Targets
  /** Of the last decision of the present process. */
  readonly policies: readonly PolicyDecision[]
}

type Targets = Readonly<Record<VariantId, number | 'UNAVAILABLE'>>

export interface Restart {
  readonly fault: Fault
  /** Ticks at which both had decided. */
  compared: number
  /** Those at which a target differed, in seconds of the world, and how. */
  readonly differences: { readonly second: number; readonly how: string }[]
  /** What its start could not read back. */
  readonly lost: string[]
  /** Where the two memories differed at the first tick at which they did. */
  parted?: { readonly second: number; readonly where: readonly string[] }
}

const scrapeSeconds = 15
/** Of a restart with its twin. */
const compareSeconds = 3600

export async function play(options: PlayOptions): Promise<Played> {
  const stage = new Stage(options)
  for (let second = 1; second <= options.traffic.untilSeconds; second++) await stage.step(second)
  return stage.end()
}

class Stage {
  private readonly options: PlayOptions
  private readonly service: ServiceBook
  private readonly plant: RequestPlant
  private readonly monitoring: Monitoring
  private readonly clock: VirtualClock
  private readonly actuators: readonly Actuator[]
  private second = 0
  private wrong = 0
  private scaler: Scaler | undefined
  private twin: { readonly scaler: Scaler; readonly restart: Restart } | undefined
  private comparedAt = 0
  private lastTold: Targets = {}
  private spentBefore = 0
  private readonly outcomes: Record<string, number> = { published: 0, repeated: 0, failed: 0 }
  private readonly zeros: number[] = []
  private readonly blindFalls: string[] = []
  private readonly restarts: Restart[] = []
  private readonly told: Told[] = []

  constructor(options: PlayOptions) {
    const { site, traffic, tools, faults, seed, warmupSeconds } = options
    this.options = options
    this.service = new ServiceBook(site.classes, traffic.untilSeconds, warmupSeconds)
    this.plant = new RequestPlant({
      site,
      requests: requestsOf(traffic, seed),
      service: this.service,
      timing: { scrapeSeconds, epochSeconds },
      routing: defaultPlant.routing,
      transfer: defaultPlant.transfer,
      failures: failuresOf(faults, site),
      initial: sizedFor(site.policies, busiest(site, traffic, seed, 300), tools),
      seed,
    })
    this.monitoring = new Monitoring(site, this.plant, faults, seed)
    this.clock = virtualClock(epochSeconds)
    this.actuators = site.variants.map(
      (variant) =>
        new Actuator(variant, recommendedActuation(variant, 0), { hpaSyncSeconds: 15, phaseSeconds: 7 }),
    )
    this.scaler = this.start()
  }

  async step(second: number): Promise<void> {
    this.second = second
    this.plant.advance(second)
    await this.begin(second)
    if (second % scrapeSeconds === 8) {
      this.monitoring.scrape(second)
      this.monitoring.scrapeScaler(await this.scaler?.metricsText(), second)
    }
    if (second % 15 === 0) this.monitoring.remember(second)
    await this.clock.advance(1)
    this.compare()
    this.act(second)
    if (second % 15 === 0) this.watch(second)
    if (second === this.options.warmupSeconds) this.spentBefore = this.dollars()
  }

  async end(): Promise<Played> {
    const { traffic, warmupSeconds } = this.options
    const dollars = this.dollars() - this.spentBefore
    await this.kill()
    await this.endTwin()
    // What is still in the system gets half an hour.
    this.plant.advance(traffic.untilSeconds + 1800)
    return {
      minutes: sumOf(this.service.classes.map(({ minutes }) => minutes)),
      dollarsPerHour: (dollars / (traffic.untilSeconds - warmupSeconds)) * 3600,
      outcomes: this.outcomes,
      zeros: this.zeros,
      blindFalls: this.blindFalls,
      restarts: this.restarts,
      told: this.told,
    }
  }

  private async begin(second: number): Promise<void> {
    for (const fault of this.options.faults) {
      if (fault.kind === 'restart' && fault.fromSeconds === second) await this.restart(fault)
      if (fault.kind === 'restart' && fault.untilSeconds === second && this.scaler === undefined)
        this.scaler = this.start()
      // The twin is asked too: what an old tick changes is not the restart's doing.
      if (fault.kind === 'repeatedTick' && fault.fromSeconds === second)
        for (const scaler of [this.scaler, this.twin?.scaler]) scaler?.repeat()
      if (fault.kind !== 'clockStep') continue
      const step = Math.round((fault.severity < 0.5 ? -1 : 1) * 900 ** Math.abs(2 * fault.severity - 1))
      if (fault.fromSeconds === second) this.setClock(step)
      if (fault.untilSeconds === second) this.setClock(0)
    }
  }

  private setClock(wrong: number): void {
    this.clock.set(this.clock.now() + wrong - this.wrong)
    this.wrong = wrong
  }

  private start(changes: Partial<Parameters<typeof startScaler>[0]> = {}): Scaler {
    const { site, tools, faults, seed } = this.options
    return startScaler({
      policies: site.policies,
      tools,
      clock: this.clock,
      monitoring: this.monitoring,
      faults,
      second: () => this.second,
      seed,
      ...changes,
    })
  }

  private async restart(fault: Fault): Promise<void> {
    const known = this.scaler?.known()
    await this.kill()
    await this.endTwin()
    const restart: Restart = { fault, compared: 0, differences: [], lost: [] }
    this.restarts.push(restart)
    this.comparedAt = known?.decidedAt ?? 0
    if (known !== undefined) this.twin = { scaler: this.start({ known, lucky: true }), restart }
  }

  private async kill(): Promise<void> {
    for (const [outcome, count] of Object.entries(this.scaler?.outcomes ?? {}))
      this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + count
    await this.scaler?.kill()
    this.scaler = undefined
  }

  private async endTwin(): Promise<void> {
    const { twin } = this
    this.twin = undefined
    await twin?.scaler.kill()
  }

  private compare(): void {
    const [mine, theirs] = [this.scaler?.latest(), this.twin?.scaler.latest()]
    if (this.twin === undefined || mine === undefined || mine.at !== theirs?.at || mine.at <= this.comparedAt)
      return
    this.comparedAt = mine.at
    const { restart } = this.twin
    if (this.second > restart.fault.untilSeconds + compareSeconds) return
    restart.compared += 1
    restart.lost.push(...(this.scaler?.lost.splice(0) ?? []))
    if (restart.parted === undefined) {
      const where = partings(this.scaler?.known()?.state, this.twin.scaler.known()?.state)
      if (where.length > 0) restart.parted = { second: this.second, where }
    }
    const pair = [mine, theirs].map(({ policies }) => policies.flatMap(({ variants }) => variants).map(shown))
    if (pair[0]?.join() !== pair[1]?.join())
      restart.differences.push({
        second: this.second,
        how: `${pair[0]?.join(' ')} for ${pair[1]?.join(' ')}`,
      })
  }

  private act(second: number): void {
    for (const actuator of this.actuators) {
      if (actuator.dueSeconds > second) continue
      const { id } = actuator.variant
      const counts = this.plant.counts(id)
      const replicas = actuator.act(second, this.signalFor(actuator.variant), counts, 'due')
      if (replicas !== counts.desired) this.plant.scale(id, replicas)
    }
  }

  /** What KEDA gets; nothing: UNAVAILABLE. */
  private signalFor({ namespace, policyId, name }: SiteVariant): Signal | undefined {
    const answer = this.scaler?.publication.target({ namespace, policy: policyId, variant: name })
    return answer?.kind === 'target'
      ? { metric: answer.replicas, target: 1, active: answer.replicas >= 1 }
      : undefined
  }

  private watch(second: number): void {
    const { site } = this.options
    const targets = Object.fromEntries(
      site.variants.map((variant) => [
        variant.id,
        this.signalFor(variant)?.metric ?? ('UNAVAILABLE' as const),
      ]),
    )
    const policies = this.scaler?.latest()?.policies ?? []
    this.told.push({ second, targets, policies })
    const minute = Math.max(0, Math.floor(second / 60) - 1)
    const arrived = this.service.classes.reduce((sum, { minutes }) => sum + (minutes.arrived[minute] ?? 0), 0)
    if (arrived > 0 && Object.values(targets).every((target) => target === 0)) this.zeros.push(second)
    for (const { id, wanted } of policies.flatMap(({ variants }) => variants)) {
      const [before, now] = [this.lastTold[id], targets[id]]
      if (typeof before !== 'number' || typeof now !== 'number' || !isMissing(wanted)) continue
      if (now < before) this.blindFalls.push(`${id} at ${second} s: ${before} to ${now}`)
    }
    this.lastTold = targets
  }

  private dollars(): number {
    return Object.values(this.plant.spent()).reduce((sum, { dollars }) => sum + dollars, 0)
  }
}

function shown({ name, target }: VariantDecision): string {
  return `${name}=${isMissing(target) ? 'UNAVAILABLE' : target}`
}

function sumOf(all: readonly MinuteCounts[]): Pick<MinuteCounts, 'arrived' | 'good'> {
  const add = (of: (counts: MinuteCounts) => Float64Array): Float64Array => {
    const sum = new Float64Array(all[0] === undefined ? 0 : of(all[0]).length)
    for (const counts of all)
      for (const [minute, count] of of(counts).entries()) sum[minute] = (sum[minute] ?? 0) + count
    return sum
  }
  return { arrived: add(({ arrived }) => arrived), good: add(({ good }) => good) }
}
