// Fitted profiles as text: YAML to paste into a policy, its errors in comments above; a table of many; JSON.

import { qualityRule } from '../core/profiles/fit.ts'
import { errorOf, type FittedPoint, type HeldOut, type Misses } from '../core/profiles/fitErrors.ts'
import { type LawCoefficients, originOf } from '../core/profiles/measurement.ts'
import type { FittedAll, FittedProfile } from './fitted.ts'
import { figure, setupName } from './lint/finding.ts'

/** Where more than this share lies between a burst and the law, the profile is not to be planned on. */
export const saturationTolerance = 0.1

/** One document per profile; comments say what it is worth. */
export function fitYaml({ profiles, failed }: FittedAll): string {
  const documents = [
    ...profiles.map((profile) => [
      `# ${profile.name}: ${verdict(profile)}`,
      ...errorLines(profile).map((line) => `# ${line}`),
      'profile:',
      ...lawLines(profile).map((line) => `  ${line}`),
    ]),
    ...failed.map(({ setup, why }) => [`# ${setupName(setup)}: not fitted: ${why}`]),
  ]
  return `${documents.map((lines) => lines.join('\n')).join('\n---\n')}\n`
}

export function fitJson({ profiles, failed, findings }: FittedAll): string {
  const document = {
    format: 'mixscaler-profiles/1',
    qualityRule,
    profiles: profiles.map(({ fit, law, ...profile }) => ({
      ...profile,
      law,
      ...(fit === undefined
        ? { quality: 'stated' }
        : {
            quality: fit.quality,
            inSample: summarized(fit.inSample),
            ...(fit.heldOut === undefined
              ? {}
              : { heldOut: { leftOut: fit.heldOut.leftOut, ...summarized(fit.heldOut) } }),
            caveats: fit.caveats,
          }),
    })),
    failed,
    findings: findings.map(({ defect, text, use, rows }) => ({ defect, use, text, rows: rows.length })),
  }
  return `${JSON.stringify(document, null, 2)}\n`
}

/** Cells in the order of `fitHeads`. */
export const fitHeads = [
  'ROWS',
  'QUALITY',
  'SEEN %',
  'UNSEEN %',
  'LEFT OUT',
  'TTFT %',
  'a',
  'b',
  'c',
  'bp',
  'PROFILE',
] as const

export function fitCells({ name, setup, law, fit, rows }: FittedProfile): readonly string[] {
  return [
    String(rows),
    fit?.quality ?? 'stated',
    fit === undefined ? '' : pair(fit.inSample.gap),
    fit?.heldOut === undefined ? '' : pair(fit.heldOut.gap),
    fit?.heldOut?.leftOut ?? '',
    fit === undefined ? '' : pair((fit.heldOut ?? fit.inSample).ttft),
    figure(law.a),
    figure(law.b),
    figure(law.c),
    figure(law.bp),
    `${name} (${setup.engine})`,
  ]
}

/** The worst miss of a burst, predicted from what was left when it was left out; signed as the rate is. */
export function saturationMiss({ fit }: FittedProfile): number | undefined {
  const unseen = fit?.heldOut?.saturation.worst
  const worst = unseen ?? fit?.inSample.saturation.worst
  return worst === undefined ? undefined : worst.measuredMs / worst.predictedMs - 1
}

function verdict({ fit, rows, files }: FittedProfile): string {
  if (fit === undefined) return `stated by ${plainNames(files)}`
  return `${fit.quality}, fitted to ${rows} rows of ${plainNames(files)}`
}

function errorLines(profile: FittedProfile): readonly string[] {
  const { fit, dropped } = profile
  if (fit === undefined) return ['nothing was fitted: nothing is known of its errors']
  const { inSample, heldOut } = fit
  return [
    `in sample:  ${errors(inSample)}`,
    heldOut === undefined
      ? 'held out:   too few rows to leave any out'
      : `held out:   ${errors(heldOut)} (${leftOutText[heldOut.leftOut]})`,
    ...worstLine(heldOut ?? inSample),
    ...(dropped.length === 0
      ? []
      : [
          `left out:   ${dropped.map(({ defect, rows }) => `${rows} ${defect}`).join(', ')} (see: mixscaler profile lint)`,
        ]),
    ...saturationLine(profile),
    ...fit.caveats.map((caveat) => `beware:     ${caveat}`),
    `rule:       ${qualityRule}`,
  ]
}

const leftOutText: Readonly<Record<HeldOut['leftOut'], string>> = {
  shape: 'one request shape at a time',
  load: 'one load at a time',
  point: 'every second point',
}

function errors({ gap, ttft }: { readonly gap: Misses; readonly ttft: Misses }): string {
  const first = `time per token ${spelled(gap)}`
  return ttft.misses.length === 0 || ttft.worst === gap.worst ? first : `${first}; TTFT ${spelled(ttft)}`
}

function spelled(misses: Misses): string {
  return `${percent(misses.median)} median, ${percent(misses.p90)} p90`
}

function worstLine({ gap: { worst } }: { readonly gap: Misses }): readonly string[] {
  return worst === undefined ? [] : [`worst:      ${pointText(worst)}`]
}

function pointText(point: FittedPoint): string {
  const { file, row } = originOf(point.sample)
  const predicted = Number.isFinite(point.predictedMs)
    ? `${figure(point.predictedMs)} ms`
    : 'more than it carries'
  const rate =
    point.rateError === undefined || !Number.isFinite(point.rateError)
      ? ''
      : `; ${percent(point.rateError)} in rate`
  return `${file} row ${row}: ${point.metric} ${figure(point.measuredMs)} ms measured, ${predicted} predicted (${percent(errorOf(point))}${rate})`
}

function saturationLine(profile: FittedProfile): readonly string[] {
  const miss = saturationMiss(profile)
  if (miss === undefined) return []
  const holds =
    Math.abs(miss) <= saturationTolerance ? 'holds' : 'FAILS: measure again, with more loads near saturation'
  return [
    `saturation: ${percent(miss)} at the worst burst, itself left out; ${percent(saturationTolerance)} allowed: ${holds}`,
  ]
}

function lawLines({ law, kvTokens, setup, files, fit }: FittedProfile): readonly string[] {
  const { mixtureOfExperts } = law
  const source = `${fit === undefined ? 'stated by' : 'fitted from'} ${plainNames(files)}; ${setupName(setup)}`
  return [
    ...coefficients(law).map(([name, value]) => `${name}: ${value}`),
    ...(mixtureOfExperts === undefined
      ? []
      : [`mixtureOfExperts: { x: ${digits(mixtureOfExperts.x)}, kappa: ${digits(mixtureOfExperts.kappa)} }`]),
    ...(kvTokens === undefined ? [] : [`kvTokens: ${Math.floor(kvTokens)}`]),
    // A JSON string is a YAML string, whatever the files are called.
    `source: ${JSON.stringify(source)}`,
  ]
}

function coefficients(law: LawCoefficients): readonly (readonly [name: string, value: string])[] {
  return (['a', 'b', 'c', 'ap', 'bp', 'd2', 'g', 'h'] as const).map((name) => [name, digits(law[name])])
}

/** Four digits, never in exponents: policies take plain numbers only. Below a billionth of a ms is rounding. */
function digits(value: number): string {
  if (Math.abs(value) < 1e-9) return '0'
  const rounded = Number(value.toPrecision(4))
  const places = Math.max(0, 3 - Math.floor(Math.log10(Math.abs(rounded))))
  return rounded
    .toFixed(Math.min(20, places))
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '')
}

function pair(misses: Misses): string {
  return misses.misses.length === 0 ? '' : `${tenth(misses.median)}, ${tenth(misses.p90)}`
}

function tenth(share: number): string {
  return Number.isFinite(share) ? (100 * share).toFixed(1) : '>999'
}

function percent(share: number): string {
  return Number.isFinite(share) ? `${figure(100 * share)} %` : 'beyond all measure'
}

function summarized({
  gap,
  ttft,
  saturation,
}: {
  readonly gap: Misses
  readonly ttft: Misses
  readonly saturation: Misses
}): object {
  const one = ({ median, p90, misses, worst }: Misses): object | undefined =>
    misses.length === 0
      ? undefined
      : {
          median,
          // JSON has no infinity: a load that the law cannot carry is null.
          p90: Number.isFinite(p90) ? p90 : null,
          count: misses.length,
          ...(worst === undefined ? {} : { worst: pointText(worst) }),
        }
  return { timePerToken: one(gap), ttft: one(ttft), saturation: one(saturation) }
}

/** Without their folders: those are of the machine that fitted. */
function plainNames(files: readonly string[]): string {
  return files.map((file) => file.split(/[\\/]/).at(-1) ?? file).join(', ')
}
