// Defects of runs under load: what the engine no longer kept up with, what clients counted wrongly, what is not theirs.
import { median } from '../../core/profiles/leastSquares.ts'
import { decodeSteps, gapOf, type Run, setupKey, ttftOf } from '../../core/profiles/measurement.ts'
import { type Finding, figure, groupBy, origins, setupName } from './finding.ts'

export function runFindings(runs: readonly Run[]): readonly Finding[] {
  const saturated = new Set<Run>()
  const setups = groupBy(runs, ({ setup }) => setupKey(setup))
  const findings = [...setups.flatMap((group) => saturation(group, saturated)), ...notStationary(runs)]
  const steady = runs.filter((run) => !saturated.has(run))
  return [
    ...setups.flatMap(miscounted),
    ...findings,
    ...setups.flatMap((group) => outsideEngine(group.filter((run) => !saturated.has(run)))),
    ...groupBy(steady, shapeKey).flatMap(notMonotone),
  ]
}

function shapeKey({ setup, promptTokens, outputTokens, load }: Run): string {
  // Random lengths differ a little from run to run: two digits are the shape.
  const digits = (value: number): number => Number(value.toPrecision(2))
  return JSON.stringify([setupKey(setup), digits(promptTokens.mean), digits(outputTokens.mean), load.kind])
}

/** Clients or requests per second, whatever loads this run. */
function loadOf({ load }: Run): number {
  switch (load.kind) {
    case 'rate':
      return load.requestsPerSecond
    case 'clients':
      return load.clients
    case 'burst':
      return Number.POSITIVE_INFINITY
  }
}

/** Below this share of what was asked for, a queue grew. */
const keptUp = 0.95
/** TTFT that grows so much faster than the load that brings it is a wait for a slot, not for a step. */
const waitGrowth = 4

function saturation(group: readonly Run[], saturated: Set<Run>): readonly Finding[] {
  for (const shape of groupBy(group, shapeKey)) {
    const rising = shape.toSorted((one, other) => loadOf(one) - loadOf(other))
    let over = false
    for (const [i, run] of rising.entries()) {
      over ||= behind(run) || /saturat/i.test(run.remark ?? '') || waits(run, rising[i - 1])
      if (over && run.load.kind !== 'burst') saturated.add(run)
    }
  }
  const rows = group.filter((run) => saturated.has(run))
  const [first] = rows
  if (first === undefined) return []
  const finding: Finding = {
    defect: 'saturated',
    text:
      `${setupName(first.setup)}: the engine no longer kept up (fewer requests came out than went in, or TTFT grew ` +
      `over ${waitGrowth} times faster than the load): these rows measure a queue, and tell only the saturation rate`,
    rows: origins(rows),
    use: 'dropped',
  }
  return [finding, ...slotLimit(rows)]
}

function behind({ load, achievedPerSecond }: Run): boolean {
  if (load.kind !== 'rate' || achievedPerSecond === undefined) return false
  return achievedPerSecond < keptUp * load.requestsPerSecond
}

function waits(run: Run, before: Run | undefined): boolean {
  const ttft = ttftOf(run)
  const earlier = before === undefined ? undefined : ttftOf(before)
  if (before === undefined || ttft === undefined || earlier === undefined) return false
  return ttft / earlier >= waitGrowth * (loadOf(run) / loadOf(before))
}

/** Sequences that run in a saturated engine: constant, whatever the rate, where slots are what it ran out of. */
const slotSpread = 0.04

function slotLimit(rows: readonly Run[]): readonly Finding[] {
  return groupBy(rows, shapeKey).flatMap((group): readonly Finding[] => {
    const running = group.flatMap((run) => {
      const gap = run.load.kind === 'rate' && run.e2eMs !== undefined ? gapOf(run) : undefined
      if (gap === undefined || run.achievedPerSecond === undefined) return []
      return [(run.achievedPerSecond * decodeSteps(run) * gap) / 1000]
    })
    const typical = median(running)
    if (running.length < 2 || Math.max(...running) - Math.min(...running) > slotSpread * typical) return []
    const rate = Math.max(...group.map(({ achievedPerSecond }) => achievedPerSecond ?? 0))
    const text =
      `${setupName(group[0].setup)}: about ${Math.round(typical)} sequences run however many requests wait, so the knee at ` +
      `${figure(rate)} requests/s is the slot limit (max_num_seqs, probably ${16 * Math.ceil(typical / 16)}) and not the engine's own`
    return [{ defect: 'slotLimit', text, rows: origins(group), use: 'dropped' }]
  })
}

const gapTolerance = 0.15

function miscounted(group: readonly Run[]): readonly Finding[] {
  const both = group.flatMap((run) => {
    const gap = run.e2eMs === undefined ? undefined : gapOf(run)
    return gap === undefined || run.itlMs === undefined || run.itlMs === gap
      ? []
      : [{ run, ratio: run.itlMs / gap }]
  })
  const off = both.filter(({ ratio }) => Math.abs(ratio - 1) > gapTolerance)
  const [first] = off
  if (first === undefined) return []
  const typical = median(off.map(({ ratio }) => ratio))
  const how =
    typical > 0.4 && typical < 0.6
      ? 'half the truth, as when the empty lines of the stream are counted as tokens'
      : `${figure(typical)} times what the duration of the requests says`
  const text = `${setupName(first.run.setup)}: the reported time per token is ${how}; (e2e - TTFT) / (output - 1) is used`
  return [{ defect: 'tokensMiscounted', text, rows: origins(off.map(({ run }) => run)), use: 'corrected' }]
}

/** Prompts this short add less than one more step to an idle engine's TTFT: the rest is not the engine's. */
const shortPrompt = 256
const tellingDelayMs = 15

function outsideEngine(group: readonly Run[]): readonly Finding[] {
  const delays = group.flatMap((run) => {
    const ttft = ttftOf(run)
    const gap = gapOf(run)
    if (ttft === undefined || gap === undefined || run.promptTokens.mean > shortPrompt) return []
    const inSystem =
      run.load.kind === 'rate'
        ? (run.load.requestsPerSecond * (ttft + decodeSteps(run) * gap)) / 1000
        : loadOf(run)
    return inSystem > 1 ? [] : [{ run, delay: ttft - 2 * gap }]
  })
  const telling = delays.filter(({ delay }) => delay > tellingDelayMs)
  const [first] = telling
  if (first === undefined) return []
  const text =
    `${setupName(first.run.setup)}: on an idle engine about ${Math.round(median(telling.map(({ delay }) => delay)))} ms of TTFT ` +
    'are spent outside it (network, client, front end): a fit charges them to h, which holds for that site only'
  return [{ defect: 'outsideEngine', text, rows: origins(telling.map(({ run }) => run)), use: 'kept' }]
}

/** A request that lasts this share of the whole run never saw the load settle. */
const settledShare = 5

function notStationary(runs: readonly Run[]): readonly Finding[] {
  const rows = runs.filter(
    ({ load, durationSeconds, e2eMs }) =>
      load.kind === 'rate' &&
      durationSeconds !== undefined &&
      e2eMs !== undefined &&
      e2eMs * settledShare > durationSeconds * 1000,
  )
  if (rows.length === 0) return []
  const text = `a request lasts more than a ${settledShare}th of the run: the load never settled, so run longer`
  return [{ defect: 'notStationary', text, rows: origins(rows), use: 'dropped' }]
}

/** Two sessions of one engine differ by 4 % each (measured): only more than both is a defect. */
const sessionNoise = 0.08

function notMonotone(shape: readonly Run[]): readonly Finding[] {
  const rising = shape.toSorted((one, other) => loadOf(one) - loadOf(other))
  const rows = rising.flatMap((run, i) => {
    const next = rising[i + 1]
    const gap = gapOf(run)
    const later = next === undefined ? undefined : gapOf(next)
    if (next === undefined || gap === undefined || later === undefined) return []
    return loadOf(next) > loadOf(run) && later < (1 - sessionNoise) * gap ? [run, next] : []
  })
  const [first] = rows
  if (first === undefined) return []
  const text = `${setupName(first.setup)}: the gap between tokens falls while the load rises: one of the two rows is wrong`
  return [{ defect: 'notMonotone', text, rows: origins([...new Set(rows)]), use: 'kept' }]
}
