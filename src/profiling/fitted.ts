// Every set-up in a heap of measurements fitted on its own, after the linter: what became of it, and of how much.
import { type Fit, fitLaw } from '../core/profiles/fit.ts'
import {
  type LawCoefficients,
  type Origin,
  originOf,
  type ProfileData,
  type Sample,
  type Setup,
  setupKey,
} from '../core/profiles/measurement.ts'
import { parseModelName, sizeOf } from '../core/profiles/models.ts'
import { type Defect, type Finding, groupBy } from './lint/finding.ts'
import { lint, samplesOf, without } from './lint/lint.ts'
import { chosen, type Given, profileName } from './setup.ts'

export interface FittedProfile {
  readonly name: string
  readonly setup: Setup
  readonly law: LawCoefficients
  /** Absent where the source states the law. */
  readonly fit?: Fit
  readonly rows: number
  /** Rows that were left out, by what is wrong with them. */
  readonly dropped: readonly { readonly defect: Defect; readonly rows: number }[]
  readonly kvTokens?: number
  readonly files: readonly string[]
}

export interface FittedAll {
  readonly profiles: readonly FittedProfile[]
  readonly failed: readonly { readonly setup: Setup; readonly why: string }[]
  readonly findings: readonly Finding[]
}

/** The set-ups that were asked for; the linter sees all, because some defects show only beside others. */
export function fitAll(all: ProfileData, given: Given): FittedAll {
  const findings = lint(all)
  const data = chosen(all, given)
  const sound = without(data, findings)
  const profiles: FittedProfile[] = sound.laws.map(({ setup, law, kvTokens, origin }) => ({
    name: profileName(setup),
    setup,
    law,
    rows: 1,
    dropped: [],
    ...(kvTokens === undefined ? {} : { kvTokens }),
    files: [origin.file],
  }))
  const failed: { setup: Setup; why: string }[] = []
  const groups = groupBy(samplesOf(data), (sample) => setupKey(setupOf(sample)))
  const left = new Set(samplesOf(sound).map(originOf))
  for (const group of groups) {
    const setup = setupOf(group[0])
    const samples = group.filter((sample) => left.has(originOf(sample)))
    const fitted = fitLaw(samples, sizeOf(parseModelName(setup.model))?.kappa ?? 0)
    if (fitted.kind === 'tooLittle') {
      failed.push({ setup, why: fitted.why })
      continue
    }
    const kvTokens = kvTokensOf(samples, findings)
    profiles.push({
      name: profileName(setup),
      setup,
      law: fitted.law,
      fit: fitted,
      rows: samples.length,
      dropped: droppedOf(group, findings),
      ...(kvTokens === undefined ? {} : { kvTokens }),
      files: [...new Set(samples.map((sample) => originOf(sample).file))],
    })
  }
  return { profiles, failed, findings }
}

/** Of one set-up, the size that its decode sweep states, unless the linter does not believe it. */
function kvTokensOf(samples: readonly Sample[], findings: readonly Finding[]): number | undefined {
  const doubted = new Set<Origin>(
    findings.flatMap(({ defect, rows }) => (defect === 'sameKvTokens' ? rows : [])),
  )
  const sizes = samples.flatMap((sample) =>
    sample.kind === 'decode' && !doubted.has(sample.point.origin) ? (sample.point.maxKvTokens ?? []) : [],
  )
  return new Set(sizes).size === 1 ? sizes[0] : undefined
}

/** Each row counts under the first finding that drops it. */
function droppedOf(group: readonly Sample[], findings: readonly Finding[]): FittedProfile['dropped'] {
  const remaining = new Set(group.map(originOf))
  return findings.flatMap(({ defect, rows, use }) => {
    const here = use === 'dropped' ? rows.filter((row) => remaining.delete(row)).length : 0
    return here === 0 ? [] : [{ defect, rows: here }]
  })
}

function setupOf(sample: Sample): Setup {
  return sample.kind === 'run' ? sample.run.setup : sample.point.setup
}
