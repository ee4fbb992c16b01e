// What a fit is tested on: parts of the data that it does not get to see. One request shape at a time where there
// are three, else one load at a time, else every second point.

import type { HeldOut } from './fitErrors.ts'
import type { Run, Sample } from './measurement.ts'

export interface HeldOutGroups {
  readonly leftOut: HeldOut['leftOut']
  readonly groups: readonly { readonly kept: readonly Sample[]; readonly left: readonly Sample[] }[]
  /** Request shapes among the runs. */
  readonly shapes: number
}

/** Prompts, or outputs, this much apart are of one shape: random lengths differ from run to run. */
const sameLength = 1.1
const fewestGroups = 3

export function heldOutGroups(samples: readonly Sample[]): HeldOutGroups {
  const shapeOf = shapeFinder()
  const byShape = new Map<Sample, string>()
  const byLoad = new Map<Sample, string>()
  for (const sample of samples) {
    if (sample.kind !== 'run') continue
    byShape.set(sample, String(shapeOf(sample.run)))
    byLoad.set(sample, loadOf(sample.run))
  }
  const shapes = new Set(byShape.values()).size
  const leave = (keys: ReadonlyMap<Sample, string>): HeldOutGroups['groups'] =>
    [...new Set(keys.values())].map((key) => split(samples, (sample) => keys.get(sample) === key))
  if (shapes >= fewestGroups) return { leftOut: 'shape', groups: leave(byShape), shapes }
  if (new Set(byLoad.values()).size >= fewestGroups) return { leftOut: 'load', groups: leave(byLoad), shapes }
  const second = new Set(inOrder(samples).filter((_, i) => i % 2 === 1))
  const halves = [split(samples, (each) => second.has(each)), split(samples, (each) => !second.has(each))]
  return { leftOut: 'point', groups: halves, shapes }
}

function split(
  samples: readonly Sample[],
  isLeft: (sample: Sample) => boolean,
): HeldOutGroups['groups'][number] {
  return { kept: samples.filter((each) => !isLeft(each)), left: samples.filter(isLeft) }
}

function shapeFinder(): (run: Run) => number {
  const known: Run[] = []
  const near = (one: number, other: number): boolean =>
    Math.max(one, other) <= sameLength * Math.min(one, other)
  return (run) => {
    const index = known.findIndex(
      (other) =>
        near(other.promptTokens.mean, run.promptTokens.mean) &&
        near(other.outputTokens.mean, run.outputTokens.mean),
    )
    return index >= 0 ? index : known.push(run) - 1
  }
}

function loadOf({ load }: Run): string {
  switch (load.kind) {
    case 'rate':
      return `${load.requestsPerSecond}/s`
    case 'clients':
      return `${load.clients}`
    case 'burst':
      return 'burst'
  }
}

/** Prefill points by length, decode points by context and sequences: neighbours go to different halves. */
function inOrder(samples: readonly Sample[]): readonly Sample[] {
  const place = (sample: Sample): readonly [number, number, number] => {
    switch (sample.kind) {
      case 'prefill':
        return [0, sample.point.promptTokens, 0]
      case 'decode':
        return [1, sample.point.contextTokens, sample.point.sequences]
      case 'run':
        return [2, sample.run.promptTokens.mean, sample.run.origin.row]
    }
  }
  return samples.toSorted((one, other) => {
    const [kind, major, minor] = place(one)
    const [otherKind, otherMajor, otherMinor] = place(other)
    return kind - otherKind || major - otherMajor || minor - otherMinor
  })
}
