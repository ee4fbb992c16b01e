// How flags name a class: by its name, or by its policy's too where several policies have one of that name.
import type { PolicySet, TrafficClass } from '../core/policy.ts'
import { usageError } from './exit.ts'

export interface ClassName {
  readonly trafficClass: TrafficClass
  /** As short as can be told from all others. */
  readonly shortest: string
  /** `class`, `policy/class`, `namespace/policy/class`. */
  readonly names: readonly string[]
}

/** In the order of a backtest's class indices. */
export function classNames({ policies }: PolicySet): readonly ClassName[] {
  const all = policies.flatMap((policy) =>
    policy.classes.map((trafficClass) => {
      const { id, name } = trafficClass
      return { trafficClass, names: [name, `${policy.name}/${name}`, id] }
    }),
  )
  return all.map((one) => ({
    ...one,
    shortest: one.names.find((name) => all.filter(({ names }) => names.includes(name)).length === 1) ?? '',
  }))
}

/** Of `CLASS=rest`; without it the only class there is. */
export function classOf(
  flag: string,
  text: string,
  classes: readonly ClassName[],
): { readonly classIndex: number; readonly rest: string } {
  const [said] = /^[^=:]*(?==)/.exec(text) ?? []
  const meant = [...classes.entries()].filter(([, { names }]) => said !== undefined && names.includes(said))
  const [found] = meant
  if (said !== undefined && found !== undefined) {
    if (meant.length > 1)
      throw usageError(
        `--${flag}: "${said}" is a class of several policies: say ${meant.map(([, { shortest }]) => shortest).join(' or ')}`,
      )
    return { classIndex: found[0], rest: text.slice(said.length + 1) }
  }
  if (classes.length === 1) return { classIndex: 0, rest: text }
  throw usageError(
    `--${flag} must say whose traffic it is: --${flag} CLASS=..., with CLASS one of ${classes.map(({ shortest }) => shortest).join(', ')}: got "${text}"`,
  )
}
