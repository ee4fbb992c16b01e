// The simulated replica against a measured knee: Llama-3.1-8B on one H100 under constant rates until its 128 or 192 slots are
// full (inference-perf stages), run from a library profile that was fitted to other data. Only slots and lengths are told.
// Usage: npx node bench/knee.ts llama31_8b_h100_vllm_0.11_stages.csv
import { readFileSync } from 'node:fs'
import { resolveFrom } from '../src/core/profiles/library.ts'
import { measuredProfiles } from '../src/core/profiles/measured.ts'
import { gapOf, type Run } from '../src/core/profiles/measurement.ts'
import { readMeasurements } from '../src/profiling/measurements.ts'
import { table } from '../src/report/table.ts'
import { Replica } from '../src/simulation/replica.ts'
import { type Completion, timePerOutputToken } from '../src/simulation/request.ts'

const [file] = process.argv.slice(2)
if (file === undefined) throw new Error('usage: npx node bench/knee.ts FILE')
const { runs } = readMeasurements({ name: file, bytes: readFileSync(file) }, {}).data

/** Each stage lasts so long, as measured; what the first ten seconds finish is ramp-up. */
const stageSeconds = 60
const rampSeconds = 10

interface Stage {
  readonly requestsPerSecond: number
  readonly ttftMs: number
  readonly gapMs: number
}

function simulated(run: Run, rate: number, maxNumSeqs: number, name: string): Stage {
  const found = resolveFrom(measuredProfiles)({ name, model: '', acceleratorType: '', acceleratorCount: 1 })
  if (found.kind === 'notFound') throw new Error(`${name} is not in the library`)
  const { profile } = found
  const ended: Completion[] = []
  const settings = {
    ...({ profile, role: 'unified', maxNumSeqs, maxNumBatchedTokens: 8192, slowGapSeconds: [] } as const),
    kvTokens: profile.kvTokens ?? 400_000,
  }
  const nothing = (): void => undefined
  const replica = new Replica(
    settings,
    {
      ...{ iteration: nothing, firstToken: nothing, preempted: nothing, resumed: nothing },
      finished: (completion) => ended.push(completion),
    },
    0,
  )
  const [promptTokens, outputTokens] = [run.promptTokens.mean, run.outputTokens.mean].map(Math.round) as [
    number,
    number,
  ]
  for (let i = 0; i < rate * stageSeconds; i++) {
    const at = i / rate
    replica.advance(at)
    replica.submit({ arrivedAtSeconds: at, promptTokens, outputTokens, cachedTokens: 0, classIndex: 0 }, at)
  }
  replica.advance(stageSeconds)
  const counted = ended.filter(({ finishedAtSeconds }) => finishedAtSeconds > rampSeconds)
  const mean = (of: (completion: Completion) => number): number =>
    counted.reduce((sum, completion) => sum + of(completion), 0) / counted.length
  return {
    requestsPerSecond: counted.length / (stageSeconds - rampSeconds),
    ttftMs:
      1000 * mean(({ firstTokenAtSeconds, submittedAtSeconds }) => firstTokenAtSeconds - submittedAtSeconds) +
      profile.h,
    gapMs: 1000 * mean(timePerOutputToken),
  }
}

const heads = ['slots', 'asked/s', 'carried', 'sim', '', 'ITL ms', 'sim', '', 'TTFT ms', 'sim'].map(
  (title) => ({
    title,
    align: 'right' as const,
  }),
)
for (const name of ['llama-3.1-8b/h100-tp1', 'llama-3.1-8b/h100-tp1@law7g']) {
  const rows: string[][] = []
  const knees: string[] = []
  for (const [engine, slots] of [
    ['vllm', 128],
    ['vllm+batch_size', 192],
  ] as const) {
    const best = { measured: 0, simulated: 0 }
    for (const run of runs) {
      if (run.setup.engine !== engine || run.load.kind !== 'rate') continue
      const rate = run.load.requestsPerSecond
      const sim = simulated(run, rate, slots, name)
      const carried = run.achievedPerSecond ?? Number.NaN
      const gap = gapOf(run) ?? Number.NaN
      // Above the knee the client of the measurement stops at some 400 requests: its queue is its own.
      const full = carried < 0.97 * rate
      rows.push([
        ...[String(slots), rate.toFixed(1), carried.toFixed(1), sim.requestsPerSecond.toFixed(1)],
        percent(sim.requestsPerSecond / carried - 1),
        ...[gap.toFixed(2), sim.gapMs.toFixed(2), percent(sim.gapMs / gap - 1)],
        ...(full ? ['', ''] : [(run.ttftMs ?? Number.NaN).toFixed(0), sim.ttftMs.toFixed(0)]),
      ])
      best.measured = Math.max(best.measured, carried)
      best.simulated = Math.max(best.simulated, sim.requestsPerSecond)
    }
    knees.push(
      `${slots} slots: measured ${best.measured.toFixed(1)} requests/s, simulated ${best.simulated.toFixed(1)} (${percent(best.simulated / best.measured - 1)})`,
    )
  }
  console.log(`${name}\n${table(heads, rows, 120).join('\n')}\n  ${knees.join('\n  ')}\n`)
}

function percent(change: number): string {
  return `${change >= 0 ? '+' : ''}${(100 * change).toFixed(1)} %`
}
