// Which profile a variant runs on: the one its policy names, else one measured for its model, GPU and parallelism,
// else an estimate. Nobody starts from nothing, and a plan says which of its numbers are guesses.
import type { FoundProfile, Profile, ResolveProfile, WantedProfile } from '../profile.ts'
import { acceleratorNamed } from './accelerators.ts'
import type { MeasuredProfile } from './measured.ts'
import { type ModelName, type Precision, parseModelName, sizeOf } from './models.ts'
import { fits, kvTokensBeside, roofline, type Setup } from './roofline.ts'

/** A way to look profiles up in this library; the estimate needs no entry of it. */
export function resolveFrom(library: readonly MeasuredProfile[]): ResolveProfile {
  const entries = library.map(entry)
  return (wanted) => {
    const notFound = (): FoundProfile => ({ kind: 'notFound', nearest: nearest(entries, wanted) })
    const asked = wanted.name === undefined ? fromPolicy(wanted) : fromName(wanted.name)
    const exact = entries.find(({ measured }) => measured.name === wanted.name)
    if (exact !== undefined) return { kind: 'found', profile: profileOf(exact, exact.precision) }
    if (asked === undefined) return notFound()
    const precision = precisionOf(asked)
    const same = candidates(entries, asked, precision)
    if (same !== undefined) return { kind: 'found', profile: profileOf(same, precision) }
    const setup = setupOf(asked, precision)
    if (wanted.name !== undefined || setup === undefined || !fits(setup)) return notFound()
    return { kind: 'found', profile: roofline(nameOf(asked, precision), setup) }
  }
}

/** A model on so many GPUs, by the library's own names. */
interface Asked {
  readonly model: ModelName
  readonly accelerator: string
  readonly count: number
}

interface Entry extends Asked {
  readonly measured: MeasuredProfile
  readonly precision: Precision
}

function entry(measured: MeasuredProfile): Entry {
  const asked = fromName(measured.name)
  if (asked === undefined)
    throw new RangeError(`profile names read model/accelerator-tpN: got "${measured.name}"`)
  return { ...asked, measured, precision: asked.model.precision ?? 'bf16' }
}

function fromPolicy({ model, acceleratorType, acceleratorCount }: WantedProfile): Asked {
  return { model: parseModelName(model), accelerator: canonical(acceleratorType), count: acceleratorCount }
}

/** `llama-3.3-70b-fp8/h100-tp2`, with or without what follows an `@`. */
function fromName(name: string): Asked | undefined {
  const parts = /^([^/@]+)\/([^/@]+)-tp(\d+)(?:@.*)?$/.exec(name)
  if (parts === null) return undefined
  const [, model = '', accelerator = '', count = ''] = parts
  return { model: parseModelName(model), accelerator: canonical(accelerator), count: Number(count) }
}

function nameOf({ model, accelerator, count }: Asked, precision: Precision): string {
  return `${model.base}${precision === 'bf16' ? '' : `-${precision}`}/${accelerator}-tp${count}`
}

function canonical(accelerator: string): string {
  return acceleratorNamed(accelerator)?.name ?? accelerator.toLowerCase()
}

/** As the name says, else as published, else the widest that leaves room for a cache: the engine runs, so it fits. */
function precisionOf(asked: Asked): Precision {
  const stated = asked.model.precision
  if (stated !== undefined) return stated
  const native = sizeOf(asked.model)?.native ?? 'bf16'
  const narrower: readonly Precision[] = [native, 'fp8', 'int4']
  return (
    narrower.find((precision) => {
      const setup = setupOf(asked, precision)
      return setup !== undefined && fits(setup)
    }) ?? native
  )
}

function setupOf({ model, accelerator, count }: Asked, precision: Precision): Setup | undefined {
  const size = sizeOf(model)
  const chip = acceleratorNamed(accelerator)
  if (size === undefined || chip === undefined || !(count >= 1)) return undefined
  return { size, precision, accelerator: chip, count }
}

/** An entry of that precision; of any other only where the model's name leaves it open. Older fits only by name. */
function candidates(entries: readonly Entry[], asked: Asked, precision: Precision): Entry | undefined {
  const alike = entries.filter(
    ({ model, accelerator, count, measured }) =>
      model.base === asked.model.base &&
      accelerator === asked.accelerator &&
      count === asked.count &&
      !measured.name.includes('@'),
  )
  const open = asked.model.precision === undefined
  return alike.find((one) => one.precision === precision) ?? (open ? alike[0] : undefined)
}

/** `assumed` is the precision the model is taken to run in: where it is not the measured one, the fit is no longer good. */
function profileOf(found: Entry, assumed: Precision): Profile {
  const { name, engine, source, quality, law, mixtureOfExperts, kvTokens } = found.measured
  const setup = setupOf(found, found.precision)
  const tokens = kvTokens ?? (setup === undefined ? undefined : kvTokensBeside(setup))
  return {
    name,
    quality: found.precision === assumed ? quality : 'fair',
    source: `${source}, ${engine}, ${found.precision}`,
    ...law,
    ...(mixtureOfExperts === undefined ? {} : { mixtureOfExperts }),
    ...(tokens === undefined ? {} : { kvTokens: tokens }),
  }
}

/** Up to five names: of this model first, then of this accelerator, then whatever begins most alike. */
function nearest(entries: readonly Entry[], wanted: WantedProfile): readonly string[] {
  const text = (wanted.name ?? parseModelName(wanted.model).base).toLowerCase()
  const asked = (wanted.name === undefined ? undefined : fromName(wanted.name)) ?? fromPolicy(wanted)
  const likeness = ({ model, accelerator, measured }: Entry): number =>
    (model.base === asked.model.base ? 200 : 0) +
    (accelerator === asked.accelerator ? 100 : 0) +
    commonPrefix(measured.name, text)
  return entries
    .map((one) => ({ name: one.measured.name, likeness: likeness(one) }))
    .filter((one) => one.likeness > 0)
    .sort((x, y) => y.likeness - x.likeness || (x.name < y.name ? -1 : 1))
    .slice(0, 5)
    .map(({ name }) => name)
}

function commonPrefix(x: string, y: string): number {
  let length = 0
  while (length < x.length && x[length] === y[length]) length++
  return length
}
