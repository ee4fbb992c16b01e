// One run of the comparison: which cell, under which controller; and what of its result the tables need.
import { backtest, defaultPlant, defaultStepSeconds, epochSeconds } from '../../src/backtest/backtest.ts'
import { type Clairvoyant, clairvoyant } from '../../src/backtest/bound/clairvoyant.ts'
import { type Known, knownCapacity } from '../../src/backtest/bound/known.ts'
import type { ControllerOf } from '../../src/backtest/controller.ts'
import { decideController } from '../../src/backtest/ours.ts'
import { type Schedule, scheduled } from '../../src/backtest/peers/scheduled.ts'
import type { Outcome } from '../../src/backtest/peers/tune.ts'
import type { Result } from '../../src/backtest/result.ts'
import type { VariantId } from '../../src/core/policy.ts'
import { createTools, type Tools } from '../../src/core/tools.ts'
import { type Cell, type Preparation, type Prepared, prepare, startupSigma } from './cells.ts'

export type Job = { readonly cell: Cell } & (
  | { readonly kind: 'bound' }
  /** A schedule that knows demand, made for `factor` times as much of it. */
  | { readonly kind: 'clairvoyant'; readonly factor: number }
  /** The present known exactly, and nothing of the future: replicas for `factor` times the demand of this minute. */
  | { readonly kind: 'sighted'; readonly factor: number }
  | { readonly kind: 'peer'; readonly peer: string; readonly label: string }
  /** `behavior`: lines of the policy that are not the defaults. */
  | { readonly kind: 'ours'; readonly behavior: string }
)

export interface Ran extends Outcome {
  readonly events: number
}

/** Equal jobs have equal keys; results are kept under them. */
export function keyOf(job: Job, days: number): string {
  return JSON.stringify([job, days])
}

export type Prepare = (cell: Cell, behavior: string, history: Preparation['history']) => Prepared

/** Cells are laid out once per worker. */
export function preparing(data: string, days: number): Prepare {
  const known = new Map<string, Prepared>()
  return (cell, behavior, history) => {
    const key = JSON.stringify([cell, behavior, history])
    const found = known.get(key) ?? prepare(cell, { data, days, behavior, history })
    known.clear()
    known.set(key, found)
    return found
  }
}

export function runJob(job: Job, prepared: Prepare, tools: Tools): Ran {
  switch (job.kind) {
    case 'bound': {
      const cell = prepared(job.cell, '', 'an hour')
      const bound = boundOf(cell, 1, tools)
      if (bound.kind !== 'bound') throw new Error(`no bound: ${JSON.stringify(bound)}`)
      return { attainment: job.cell.goal, dollarsPerHour: bound.dollars / hoursOf(cell.known), events: 0 }
    }
    case 'clairvoyant': {
      const cell = prepared(job.cell, '', 'an hour')
      return played(cell, scheduleOf(cell, job.factor, tools), tools)
    }
    case 'sighted': {
      const cell = prepared(job.cell, '', 'an hour')
      return played(cell, sightedOf(cell, job.factor, tools), tools)
    }
    case 'peer': {
      const cell = prepared(job.cell, '', 'an hour')
      const peer = cell.peers.find(({ name }) => name === job.peer)
      const found = [...(peer?.grid ?? []), ...(peer === undefined ? [] : [peer.shipped])].find(
        ({ label }) => label === job.label,
      )
      if (found === undefined) throw new Error(`${job.peer} has no configuration "${job.label}"`)
      return played(cell, found.controllerOf, tools)
    }
    case 'ours':
      return played(
        prepared(job.cell, job.behavior, 'all'),
        (site) => decideController(site, createTools(tools.engines), tickSeconds),
        tools,
      )
  }
}

const tickSeconds = 15

function boundOf(
  { cell, policy, site, known }: Prepared,
  factor: number,
  { engines, capacities }: Tools,
): Clairvoyant {
  const scaled: Known = {
    ...known,
    classes: known.classes.map((each) => ({
      ...each,
      requestsPerSecond: each.requestsPerSecond.map((rate) => rate * factor),
    })),
  }
  return clairvoyant(
    {
      ...{ policy, pools: site.policies.pools, known: scaled, allowedMisses: 1 - cell.goal },
      capacity: knownCapacity(policy, capacities),
    },
    engines.large,
  )
}

export function hoursOf({ steps, stepSeconds }: Known): number {
  return (steps * stepSeconds) / 3600
}

/** Start-up times are drawn: a replica is ordered by so much of their median early, and a step's length. */
const leadFactor = 1.25

function scheduleOf(cell: Prepared, factor: number, tools: Tools): ControllerOf {
  const bound = boundOf(cell, factor, tools)
  if (bound.kind !== 'bound') throw new Error(`no schedule: ${JSON.stringify(bound)}`)
  const leads = cell.policy.variants.map(
    ({ id, startupSeconds }) => [id, leadFactor * startupSeconds] as const,
  )
  return replayed('clairvoyant', cell, bound.schedule.counts, Object.fromEntries(leads))
}

/** Of a fleet of one variant. Replicas are ordered when they are needed: they come a start-up time later. */
function sightedOf(cell: Prepared, factor: number, { capacities }: Tools): ControllerOf {
  const { known, policy } = cell
  const [variant] = policy.variants
  const [only] = known.classes
  if (variant === undefined || only === undefined) throw new Error('a cell has a class and a variant')
  const capacity = knownCapacity(policy, capacities)
  const counts = Array.from(only.requestsPerSecond, (rate, t) =>
    Math.ceil((factor * rate) / capacity(only, variant, t)),
  )
  return replayed('sighted', cell, { [variant.id]: counts }, {})
}

function replayed(
  label: string,
  { known: { stepSeconds }, warmupSeconds }: Prepared,
  counts: Schedule['counts'],
  leadSeconds: Readonly<Record<VariantId, number>>,
): ControllerOf {
  const fromSeconds = epochSeconds + warmupSeconds
  return scheduled(label, { fromSeconds, stepSeconds, counts }, leadSeconds).controllerOf
}

function played(cell: Prepared, controllerOf: ControllerOf, tools: Tools): Ran {
  const { policies, traffic, fidelity, warmupSeconds } = cell
  const run = backtest({
    ...{ policies, traffic, tools, controllerOf, fidelity, warmupSeconds, tickSeconds, startupSigma },
    ...{ plant: defaultPlant, seed: cell.cell.seed, modelError: 0 },
    startupSeconds: cell.cell.startupSeconds,
    ...(fidelity === 'fluid' ? { stepSeconds: defaultStepSeconds } : {}),
  })
  for (;;) {
    const next = run.next()
    if (next.done === true) return ranOf(next.value)
  }
}

function ranOf({ classes, dollarsPerHour, events }: Result): Ran {
  const [requests, good] = classes.reduce(
    ([all, kept], each) => [all + each.requests, kept + each.requests * (each.attainment?.all ?? 0)],
    [0, 0],
  )
  return {
    attainment: requests > 0 ? good / requests : 1,
    dollarsPerHour,
    events: events.scaleUps + events.scaleDowns,
  }
}
