// Fits every measured profile in a directory and prints its errors, in sample and on what was left out; then the knee
// of an engine that a library profile has never seen. Usage: npx node bench/profiles.ts --data DIR
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { workload } from '../src/core/capacity/lengths.ts'
import { unifiedSaturation } from '../src/core/capacity/unified.ts'
import type { HeldOut } from '../src/core/profiles/fitErrors.ts'
import { median } from '../src/core/profiles/leastSquares.ts'
import { resolveFrom } from '../src/core/profiles/library.ts'
import { measuredProfiles } from '../src/core/profiles/measured.ts'
import type { ProfileData, Run, Setup } from '../src/core/profiles/measurement.ts'
import { parseModelName } from '../src/core/profiles/models.ts'
import { fitCells, fitHeads } from '../src/profiling/fitText.ts'
import { fitAll } from '../src/profiling/fitted.ts'
import { groupBy } from '../src/profiling/lint/finding.ts'
import { joined, lint } from '../src/profiling/lint/lint.ts'
import { readMeasurements } from '../src/profiling/measurements.ts'
import { Unreadable } from '../src/profiling/unreadable.ts'
import { table } from '../src/report/table.ts'

const { values } = parseArgs({ options: { data: { type: 'string' } } })
if (values.data === undefined) throw new Error('usage: npx node bench/profiles.ts --data DIR')
const data = joined(
  readdirSync(values.data, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map(measured),
)

errors(data)
knees(data.runs)

/** What can be fitted in the file: stated coefficients leave nothing to fit, other files are skipped. */
function measured(file: string): ProfileData {
  try {
    return { ...readMeasurements({ name: file, bytes: readFileSync(file) }, {}).data, laws: [] }
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    console.log(`skipped: ${error.message.slice(0, 100)}`)
    return joined([])
  }
}

function errors(all: ProfileData): void {
  const started = performance.now()
  const { profiles, failed } = fitAll(all, {})
  const heads = fitHeads.map((title, i) => ({
    title,
    align: i < fitHeads.length - 1 ? ('right' as const) : ('left' as const),
  }))
  console.log(table(heads, profiles.map(fitCells), 160).join('\n'))
  for (const { setup, why } of failed)
    console.log(`${setup.model} on ${setup.gpu} TP${setup.tp}, ${setup.engine}: ${why}`)
  console.log(
    `\n${profiles.length} fits in ${(performance.now() - started).toFixed(0)} ms. Median over set-ups of (median |e|, p90 |e|) on what was left out, %:`,
  )
  for (const group of groupBy(profiles, ({ setup }) => familyOf(setup))) {
    const kinds: readonly HeldOut['leftOut'][] = ['shape', 'load', 'point']
    const parts = kinds.flatMap((kind) => {
      const gaps = group.flatMap(({ fit }) => (fit?.heldOut?.leftOut === kind ? [fit.heldOut.gap] : []))
      if (gaps.length === 0) return []
      const share = (of: (typeof gaps)[number]['median'][]): string => (100 * median(of)).toFixed(1)
      return [
        `${kind} ${share(gaps.map((gap) => gap.median))}, ${share(gaps.map((gap) => gap.p90))} (${gaps.length})`,
      ]
    })
    if (parts.length > 0) console.log(`  ${familyOf(group[0].setup).padEnd(44)} ${parts.join('  ')}`)
  }
}

/** The same model and GPU in any precision and parallelism, as the modelling notes count set-ups. */
function familyOf({ model, gpu }: Setup): string {
  return `${parseModelName(model).base} on ${gpu}`
}

/** Only the slots are told: 128 and 192, as the engines were started. */
function knees(runs: readonly Run[]): void {
  const found = resolveFrom(measuredProfiles)({
    name: 'llama-3.1-8b/h100-tp1',
    model: '',
    acceleratorType: '',
    acceleratorCount: 1,
  })
  if (found.kind === 'notFound') throw new Error('llama-3.1-8b/h100-tp1 is not in the library')
  console.log(
    '\nKnee of Llama-3.1-8B on one H100 from the library profile llama-3.1-8b/h100-tp1 (fitted to other data):',
  )
  for (const [engine, maxNumSeqs] of [
    ['vllm', 128],
    ['vllm+batch_size', 192],
  ] as const) {
    const stages = runs.filter(({ setup, load }) => setup.engine === engine && load.kind === 'rate')
    const limited = new Set(
      lint({ ...joined([]), runs: stages }).flatMap(({ defect, rows }) =>
        defect === 'slotLimit' ? rows : [],
      ),
    )
    const knee = stages.filter(({ origin }) => limited.has(origin))
    const [first] = knee
    if (first === undefined) continue
    const rate = Math.max(...knee.map(({ achievedPerSecond }) => achievedPerSecond ?? 0))
    const { profile } = found
    const limits = { maxNumSeqs, maxNumBatchedTokens: 8192, kvTokens: profile.kvTokens ?? 0 }
    const bin = (tokens: number): { tokens: number; weight: number }[] => [{ tokens, weight: 1 }]
    const shape = {
      promptTokens: bin(first.promptTokens.mean),
      outputTokens: bin(first.outputTokens.mean),
      prefixHitRate: 0,
    }
    const predicted =
      1000 * unifiedSaturation(profile, workload(profile, limits, shape), limits.maxNumBatchedTokens)
    console.log(
      `  ${maxNumSeqs} slots: measured ${rate.toFixed(1)} requests/s, predicted ${predicted.toFixed(1)} (${(100 * (predicted / rate - 1)).toFixed(1)} %)`,
    )
  }
}
