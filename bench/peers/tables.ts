// The comparison as text: per cell, per peer over all cells, and the promises with what was measured against them.
import { single, type Tried, tuned } from '../../src/backtest/peers/tune.ts'
import type { Cell } from './cells.ts'
import type { Job, Ran } from './job.ts'

export interface Compared {
  readonly cell: Cell
  readonly runs: readonly { readonly job: Job; readonly ran: Ran }[]
}

type TriedPeer = Tried<Ran>

export function printCell(
  { cell, runs }: Compared,
  shipped: ReadonlyMap<string, string>,
  goal: number,
): void {
  const bound = boundOf({ cell, runs })
  console.log(`\n${nameOf(cell)}: bound $${bound.toFixed(2)}/h`)
  console.log(row('policy', 'attained', '$/h', 'x bound', 'events', ''))
  for (const kind of ['clairvoyant', 'sighted'] as const) {
    const cheapest = attainedSchedule({ cell, runs }, kind, goal)
    if (cheapest !== undefined) line(kind, cheapest.ran, bound, `for ${cheapest.factor} x demand`)
  }
  line('mixscaler, defaults', oursOf({ cell, runs }), bound, '')
  for (const [peer, label] of shipped) {
    const tried = triedOf({ cell, runs }, peer)
    const asShipped = tried.find((each) => each.label === label)
    if (asShipped !== undefined) line(`${peer}, as shipped`, asShipped.outcome, bound, label)
    const best = tuned(tried, goal)
    switch (best.kind) {
      case 'reached':
        line(`${peer}, tuned`, best.best.outcome, bound, best.best.label)
        lineAtOurs(peer, tried, oursOf({ cell, runs }), bound, goal)
        break
      case 'outOfReach':
        line(`${peer}, nearest`, best.nearest.outcome, bound, best.nearest.label)
    }
  }
}

/** Tuned for what ours attained, where that is more than the goal. */
function lineAtOurs(peer: string, tried: readonly TriedPeer[], ours: Ran, bound: number, goal: number): void {
  const best = tuned(tried, Math.max(goal, ours.attainment))
  if (best.kind === 'reached') line(`${peer}, tuned to ours`, best.best.outcome, bound, best.best.label)
}

function line(
  policy: string,
  { attainment, dollarsPerHour, events }: Ran,
  bound: number,
  note: string,
): void {
  console.log(
    row(
      policy,
      `${(100 * attainment).toFixed(2)} %`,
      dollarsPerHour.toFixed(2),
      (dollarsPerHour / bound).toFixed(3),
      String(events),
      note,
    ),
  )
}

function row(policy: string, ...[attained, cost, ratio, events, note]: readonly string[]): string {
  return `${policy.padEnd(30)} ${attained?.padStart(9)} ${cost?.padStart(8)} ${ratio?.padStart(8)} ${events?.padStart(7)}  ${note}`
}

/** One configuration per peer for all cells of one fleet. */
export function printSingles(compared: readonly Compared[], goal: number): void {
  console.log('\none configuration for all cells     cells  least attained  x bound (geometric mean)')
  for (const [fleet, cells] of byFleet(compared)) {
    const bounds = cells.map(boundOf)
    const ours = cells.map(oursOf)
    singleLine(`${fleet}: mixscaler, defaults`, ours, bounds, goal, '')
    for (const peer of peersIn(cells)) {
      const best = single(
        cells.map((each) => triedOf(each, peer)),
        bounds,
        goal,
      )
      if (best !== undefined) singleLine(`${fleet}: ${peer}`, best.outcomes, bounds, goal, best.label)
    }
  }
}

function singleLine(
  name: string,
  outcomes: readonly Ran[],
  bounds: readonly number[],
  goal: number,
  note: string,
): void {
  const reached = outcomes.filter(({ attainment }) => attainment >= goal).length
  const least = 100 * Math.min(...outcomes.map(({ attainment }) => attainment))
  console.log(
    `${name.padEnd(34)} ${String(reached).padStart(3)} of ${outcomes.length} ${least.toFixed(2).padStart(11)} % ${meanRatio(outcomes, bounds).toFixed(3).padStart(9)}  ${note}`,
  )
}

/** By goal and start-up time. */
const mostOverBound: Readonly<Record<number, Readonly<Record<number, number>>>> = {
  0.99: { 60: 1.08, 120: 1.11, 180: 1.15 },
  0.999: { 60: 1.15, 120: 1.25, 180: 1.4 },
}

/** Traces of a day or more. */
export function printBars(compared: readonly Compared[], goal: number): void {
  console.log('\npromises, on traces of a day or more')
  for (const [fleet, all] of byFleet(compared)) {
    const cells = all.filter(({ cell }) => !cell.trace.startsWith('az'))
    if (cells.length === 0) continue
    for (const each of cells) {
      const { attainment, dollarsPerHour } = oursOf(each)
      const ratio = dollarsPerHour / boundOf(each)
      const most = mostOverBound[goal]?.[each.cell.startupSeconds]
      verdict(
        attainment >= goal,
        `${nameOf(each.cell)}: at least ${Number((100 * goal).toPrecision(4))} % within SLO: ${(100 * attainment).toFixed(2)} %`,
      )
      if (most !== undefined)
        verdict(ratio <= most, `${nameOf(each.cell)}: at most ${most} of the bound: ${ratio.toFixed(3)}`)
      const tried = triedOf(each, 'dynamo-planner')
      for (const [what, least] of [
        ['the goal', goal],
        ['what ours attained', Math.max(goal, attainment)],
      ] as const) {
        const planner = tried.length === 0 ? undefined : tuned(tried, least)
        if (planner?.kind !== 'reached') continue
        const saved = 1 - dollarsPerHour / planner.best.outcome.dollarsPerHour
        verdict(
          saved >= 0,
          `${nameOf(each.cell)}: not dearer than Dynamo tuned with hindsight to ${what}: ${percent(Math.abs(saved))} ${saved < 0 ? 'dearer' : 'cheaper'}`,
        )
      }
    }
    againstSingles(fleet, cells, goal)
  }
  againstOneVariant(compared)
}

const thresholdRules = ['keda-waiting', 'kserve-running', 'llmd-saturation', 'aibrix-apa']

function againstSingles(fleet: string, cells: readonly Compared[], goal: number): void {
  const bounds = cells.map(boundOf)
  const ours = meanRatio(cells.map(oursOf), bounds)
  const bestOf = (peers: readonly string[]): number | undefined => {
    const ratios = peers.flatMap((peer) => {
      const best = single(
        cells.map((each) => triedOf(each, peer)),
        bounds,
        goal,
      )
      return best === undefined || best.cellsReached < cells.length ? [] : [meanRatio(best.outcomes, bounds)]
    })
    return ratios.length === 0 ? undefined : Math.min(...ratios)
  }
  for (const [what, peers, least] of [
    ['Dynamo’s', ['dynamo-planner'], 0.1],
    ['the threshold rules’', thresholdRules, 0.35],
  ] as const) {
    const best = bestOf(peers)
    if (best === undefined) {
      console.log(`  -       ${fleet}: no single configuration of ${what} reaches the goal in all cells`)
      continue
    }
    const saved = 1 - ours / best
    verdict(
      saved >= least,
      `${fleet}: at least ${percent(least)} cheaper than ${what} best single configuration: ${percent(saved)}`,
    )
  }
}

/** The same cells with a choice of variants, and with the H100 alone. */
function againstOneVariant(compared: readonly Compared[]): void {
  for (const mix of compared.filter(({ cell }) => cell.fleet === 'mix')) {
    const alone = compared.find(
      ({ cell }) => JSON.stringify(cell) === JSON.stringify({ ...mix.cell, fleet: 'h100' }),
    )
    if (alone === undefined) continue
    const more = oursOf(mix).dollarsPerHour / oursOf(alone).dollarsPerHour - 1
    verdict(
      more <= 0.02,
      `${nameOf(mix.cell)}: at most 2 % dearer than on H100 alone: ${percent(more)} dearer`,
    )
  }
}

export function printAblations(
  compared: readonly Compared[],
  ablations: Readonly<Record<string, string>>,
): void {
  console.log('\nmixscaler without a part              least attained  x bound  events')
  const bounds = compared.map(boundOf)
  for (const [name, behavior] of [['defaults', ''], ...Object.entries(ablations)] as const) {
    const outcomes = compared.flatMap(({ runs }) =>
      runs.flatMap(({ job, ran }) => (job.kind === 'ours' && job.behavior === behavior ? [ran] : [])),
    )
    const least = 100 * Math.min(...outcomes.map(({ attainment }) => attainment))
    const events = outcomes.reduce((sum, ran) => sum + ran.events, 0)
    console.log(
      `${name.padEnd(36)} ${least.toFixed(2).padStart(12)} % ${meanRatio(outcomes, bounds).toFixed(3).padStart(8)} ${String(events).padStart(7)}`,
    )
  }
}

function verdict(holds: boolean, what: string): void {
  console.log(`  ${holds ? 'holds ' : 'MISSED'}  ${what}`)
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}

function meanRatio(outcomes: readonly Ran[], bounds: readonly number[]): number {
  const logs = outcomes.map(({ dollarsPerHour }, i) => Math.log(dollarsPerHour / (bounds[i] ?? 1)))
  return Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length)
}

function nameOf({ trace, fleet, startupSeconds, seed }: Cell): string {
  return `${trace}, ${fleet}, ${startupSeconds} s, seed ${seed}`
}

function byFleet(compared: readonly Compared[]): ReadonlyMap<string, readonly Compared[]> {
  return Map.groupBy(compared, ({ cell }) => cell.fleet)
}

function peersIn(cells: readonly Compared[]): readonly string[] {
  return [
    ...new Set(cells.flatMap(({ runs }) => runs.flatMap(({ job }) => (job.kind === 'peer' ? job.peer : [])))),
  ]
}

function triedOf({ runs }: Compared, peer: string): readonly TriedPeer[] {
  return runs.flatMap(({ job, ran }) =>
    job.kind === 'peer' && job.peer === peer ? [{ label: job.label, outcome: ran }] : [],
  )
}

function boundOf({ runs }: Compared): number {
  return found(runs, ({ kind }) => kind === 'bound').dollarsPerHour
}

function oursOf({ runs }: Compared): Ran {
  return found(runs, (job) => job.kind === 'ours' && job.behavior === '')
}

function found(runs: Compared['runs'], wanted: (job: Job) => boolean): Ran {
  const run = runs.find(({ job }) => wanted(job))
  if (run === undefined) throw new Error('a run is missing')
  return run.ran
}

function attainedSchedule(
  { runs }: Compared,
  kind: 'clairvoyant' | 'sighted',
  goal: number,
): { readonly factor: number; readonly ran: Ran } | undefined {
  return runs
    .flatMap(({ job, ran }) =>
      job.kind === kind && ran.attainment >= goal ? [{ factor: job.factor, ran }] : [],
    )
    .toSorted((x, y) => x.ran.dollarsPerHour - y.ran.dollarsPerHour)[0]
}
