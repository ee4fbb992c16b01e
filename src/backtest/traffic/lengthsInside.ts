// How lengths move inside windows, with their rates: `step`, those of the window; `bridge`, drifting from window centre
// to window centre. docs/MODEL.md, "Traffic inside windows".
import type { LengthBin } from '../../core/capacity/question.ts'
import { windowAt } from './insideWindows.ts'
import type { Inside, RateWindow } from './traffic.ts'

type Lengths = Pick<RateWindow, 'promptTokens' | 'outputTokens'>

/** A level lasts about so long: every other shape has to be worked out by whoever serves it. */
const levelSeconds = 150

/** Undefined outside the windows. The same object for as long as lengths stay the same. */
export function lengthsInside(
  windows: readonly RateWindow[],
  inside: Inside,
): (at: number) => Lengths | undefined {
  const [first] = windows
  if (inside === 'step' || first === undefined) return (at) => windowAt(windows, at)
  const width = first.untilSeconds - first.fromSeconds
  const levels = Math.max(1, Math.round(width / levelSeconds))
  let last: { readonly level: number; readonly lengths: Lengths } | undefined
  return (at) => {
    const own = windowAt(windows, at)
    if (own === undefined) return undefined
    const level = Math.floor(((at - first.fromSeconds) / width - 0.5) * levels)
    if (last?.level === level) return last.lengths
    const index = Math.floor(level / levels)
    const from = windows[Math.max(0, index)] ?? own
    const to = windows[Math.min(windows.length - 1, index + 1)] ?? own
    last = { level, lengths: between(from, to, (level + 0.5) / levels - index) }
    return last.lengths
  }
}

function between(from: RateWindow, to: RateWindow, part: number): Lengths {
  if (from.promptTokens === to.promptTokens && from.outputTokens === to.outputTokens) return from
  return {
    promptTokens: drifted(from.promptTokens, to.promptTokens, part),
    outputTokens: drifted(from.outputTokens, to.outputTokens, part),
  }
}

/** Every quantile goes in a straight line. Points of other shares of the requests have none to go to. */
function drifted(from: readonly LengthBin[], to: readonly LengthBin[], part: number): readonly LengthBin[] {
  if (
    from.length !== to.length ||
    from.some(({ weight }, i) => Math.abs(weight - (to[i]?.weight ?? 0)) > 1e-9)
  )
    return part < 0.5 ? from : to
  return from.map(({ tokens, weight }, i) => ({
    tokens: tokens + part * ((to[i]?.tokens ?? tokens) - tokens),
    weight,
  }))
}
