// What Prometheus and Kubernetes tell of the fleet, faults included: pods' own texts are scraped into the store in memory and read
// by the production queries. Scrapes, answers and counts each go wrong where they would.
import { epochSeconds } from '../../src/backtest/backtest.ts'
import type { RequestPlant } from '../../src/backtest/requestPlant.ts'
import type { Site } from '../../src/backtest/site.ts'
import type { Observation, ReplicaCounts } from '../../src/core/observation.ts'
import type { Answers } from '../../src/core/observe/deal.ts'
import { observe } from '../../src/core/observe/observe.ts'
import {
  type LastDecided,
  lastDecided,
  lastDecidedMetrics,
  recordedReplicas,
  recordedWithinSeconds,
  withReplicas,
} from '../../src/core/observe/ownSeries.ts'
import {
  defaultObserveOptions,
  demandOnly,
  type QueryPlan,
  queryPlan,
} from '../../src/core/observe/queries.ts'
import type { Row } from '../../src/core/observe/series.ts'
import type { VariantId } from '../../src/core/policy.ts'
import { missing, type Reading } from '../../src/core/reading.ts'
import { instantsOf, type Span } from '../../src/core/span.ts'
import type { PastSignals } from '../../src/loop/pastParts.ts'
import { exposition } from '../../src/simulation/exposition.ts'
import type { Pod } from '../../src/simulation/pod.ts'
import { Random } from '../../src/simulation/random.ts'
import { answerQuery } from '../../src/simulation/seriesQuery.ts'
import { SeriesStore } from '../../src/simulation/seriesStore.ts'
import { active, type Fault } from './faults.ts'

const { lengthWindowSeconds } = defaultObserveOptions
/** Longer than any restart replays with every signal. */
const wholeSeconds = 3 * 3600
/** Longer than any run. */
const ownSeconds = 30 * 86_400
const ownTarget = { job: 'mixscaler' }
const currentReplicas = 'mixscaler_current_replicas'
const decidedAt = 'mixscaler_decision_timestamp_seconds'
const ownLines = new RegExp(`^(?:${[...lastDecidedMetrics, currentReplicas].join('|')})[ {].*$`, 'gm')

type Counts = Readonly<Record<VariantId, Reading<ReplicaCounts>>>
type Target = Readonly<Record<string, string>>
/** What a start reads back. */
type Remembered = Extract<PastSignals, 'all' | 'demand'>

export class Monitoring {
  private readonly site: Site
  private readonly plant: RequestPlant
  private readonly faults: readonly Fault[]
  private readonly seed: number
  private readonly plans: Readonly<Record<Remembered, QueryPlan>>
  private readonly store = new SeriesStore(lengthWindowSeconds)
  private readonly own = new SeriesStore(ownSeconds)
  /** As range queries would show them, by instant: replicas as metrics count them. */
  private readonly past: Readonly<Record<Remembered, Map<number, Observation>>> = {
    all: new Map(),
    demand: new Map(),
  }
  private known = new Map<string, Target>()
  /** What counters of an engine are told less by, since a reset. */
  private readonly bases = new Map<string, ReadonlyMap<string, number>>()
  private frozen: Counts | undefined

  constructor(site: Site, plant: RequestPlant, faults: readonly Fault[], seed: number) {
    this.site = site
    this.plant = plant
    this.faults = faults
    this.seed = seed
    const all = queryPlan(site.policies, defaultObserveOptions)
    this.plans = { all, demand: demandOnly(all) }
  }

  /** Prometheus looks at every pod. */
  scrape(second: number): void {
    if (this.is('scrapesStop', second)) return
    const at = epochSeconds + second
    const found = new Map<string, Target>()
    const random = new Random(this.seed, second)
    const gone = [this.is('variantVanishes', second), this.is('variantLost', second)].map(
      (fault) => fault?.variant,
    )
    for (const { id, namespace, policyId } of this.site.variants) {
      if (gone.includes(id)) continue
      for (const [index, pod] of this.plant.pods(id).entries()) {
        const target = targetOf(namespace, pod, 'vllm')
        const failing = this.is('scrapesFail', second) !== undefined && random.uniform() < 0.5
        const text = failing ? undefined : this.textOf(pod, policyId, id, index, second)
        const targets = this.is('doubledSeries', second)
          ? [target, targetOf(namespace, pod, 'vllm-service')]
          : [target]
        for (const each of targets) {
          found.set(JSON.stringify(each), each)
          if (text === undefined) this.store.scrapeFailed(each, at)
          else this.store.scrape(each, text, at)
        }
      }
    }
    for (const [name, target] of this.known) if (!found.has(name)) this.store.targetGone(target, at)
    this.known = found
  }

  /** Prometheus looks at the scaler; undefined: it is down. */
  scrapeScaler(text: string | undefined, second: number): void {
    const at = epochSeconds + second
    if (text === undefined) this.own.scrapeFailed(ownTarget, at)
    else this.own.scrape(ownTarget, text.match(ownLines)?.join('\n') ?? '', at)
  }

  /** Once at every instant of the grid, before it is asked for. */
  remember(second: number): void {
    const at = epochSeconds + second
    for (const signals of ['all', 'demand'] as const) {
      const plan = this.plans[signals]
      this.past[signals].set(
        at,
        observe(this.site.policies, plan, this.honest(plan, at), { at, classAnswers: [] }),
      )
    }
    this.past.all.delete(at - wholeSeconds)
    if (!this.is('kubernetesGone', second)) this.frozen = this.counts()
  }

  /** What a tick at `at` sees when it asks at this second of the world. */
  look(at: number, second: number): Observation {
    const failing = this.is('queriesFail', second) !== undefined
    const random = new Random(this.seed, Math.round(at) % 1_000_003)
    const answers: Answers = new Map(
      [...this.honest(this.plans.all, at)].map(([id, answer]) =>
        failing && random.uniform() < 0.4 ? [id, { kind: 'failed', why: 'HTTP status 503' }] : [id, answer],
      ),
    )
    return observe(this.site.policies, this.plans.all, answers, {
      at,
      classAnswers: [],
      replicas: this.replicas(second),
    })
  }

  lookBack(span: Span, signals: PastSignals, second: number): readonly Observation[] {
    const replicas = this.replicas(second)
    return instantsOf(span).map((at) => {
      const seen = this.past[signals === 'all' ? 'all' : 'demand'].get(at) ?? this.nothing(at)
      return withReplicas(seen, recordedReplicas(this.ownRows(currentReplicas, this.recordOf(at))), replicas)
    })
  }

  /** When it is read what the scaler saw at a tick: as `replicasQuery` finds it. */
  private recordOf(at: number): number {
    const isOfTick = (later: number) => this.ownRows(decidedAt, at + later).some(({ value }) => value === at)
    return at + (recordedWithinSeconds.find(isOfTick) ?? 0)
  }

  lastDecided(at: number): LastDecided {
    const rows = lastDecidedMetrics.flatMap((name) =>
      this.ownRows(name, at).map(({ labels, value }) => ({ labels: { ...labels, __name__: name }, value })),
    )
    return lastDecided(rows)
  }

  private replicas(second: number): Counts {
    if (this.is('kubernetesUnknown', second))
      return Object.fromEntries(this.site.variants.map(({ id }) => [id, missing('backendDown')]))
    return (this.is('kubernetesGone', second) ? this.frozen : undefined) ?? this.counts()
  }

  private counts(): Counts {
    return Object.fromEntries(this.site.variants.map(({ id }) => [id, this.plant.known(id)]))
  }

  private honest(plan: QueryPlan, at: number): Answers {
    return new Map(
      plan.queries.map((query) => [query.id, { kind: 'rows', rows: answerQuery(this.store, query, at) }]),
    )
  }

  /** Of the time before the world began. */
  private nothing(at: number): Observation {
    return observe(
      this.site.policies,
      this.plans.demand,
      new Map(this.plans.demand.queries.map(({ id }) => [id, { kind: 'rows', rows: [] }])),
      {
        at,
        classAnswers: [],
      },
    )
  }

  private ownRows(metric: string, at: number): readonly Row[] {
    return this.own.read(metric, { kind: 'newest', metrics: [metric], maxAgeSeconds: 300 }, at)
  }

  private textOf(
    pod: Pod,
    policyId: string,
    variant: VariantId,
    index: number,
    second: number,
  ): string | undefined {
    const model = this.site.policies.policies.find(({ id }) => id === policyId)?.servedNames[0] ?? ''
    const text = exposition(pod, { flavour: 'v1', model, epochSeconds })
    if (text === undefined) return undefined
    const engine = `${pod.name} ${pod.readyAtSeconds}`
    if (this.faults.some((fault) => isReset(fault, variant, second))) this.bases.set(engine, countersOf(text))
    const base = this.bases.get(engine)
    const told =
      base === undefined
        ? text
        : text.replace(counterLine, (line, name: string, value: string) => {
            const less = base.get(name)
            return less === undefined ? line : `${name} ${Number(value) - less}`
          })
    const doubtful = this.is('notANumber', second)
    if (doubtful?.variant !== variant || index > 0) return told
    const random = new Random(this.seed, second)
    return told.replace(/^([^#\s]\S*(?:\{.*\})?) (\S+)$/gm, (line, name: string) =>
      random.uniform() < 1 / 3 ? `${name} NaN` : line,
    )
  }

  private is(kind: Fault['kind'], second: number): Fault | undefined {
    return active(this.faults, kind, second)
  }
}

const counterLine = /^([^#\s]\S*?_(?:total|count|sum|bucket)(?:\{.*\})?) (\S+)$/gm

function countersOf(text: string): ReadonlyMap<string, number> {
  return new Map([...text.matchAll(counterLine)].map(([, name = '', value = '']) => [name, Number(value)]))
}

/** The first scrape after it. */
function isReset({ kind, fromSeconds, variant }: Fault, of: VariantId, second: number): boolean {
  return kind === 'counterReset' && variant === of && fromSeconds > second - 15 && fromSeconds <= second
}

function targetOf(namespace: string, { name }: Pod, job: string): Target {
  return { namespace, pod: name, job: `${namespace}/${job}`, instance: name }
}
