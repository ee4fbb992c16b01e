// A fit to look at: predicted against measured, and errors against load, as a self-contained SVG.

import { underWay } from '../core/profiles/equations.ts'
import { errorOf, type FittedPoint } from '../core/profiles/fitErrors.ts'
import type { FittedProfile } from './fitted.ts'

const width = 960
const panelHeight = 380
const plotSize = 280
const left = { x: 80, y: 60 }
const right = { x: 540, y: 60 }
const colours = { itl: '#1f77b4', ttft: '#d62728', e2e: '#9467bd', saturation: '#2ca02c' } as const
const labels = { itl: 'time per token', ttft: 'TTFT', e2e: 'whole request', saturation: 'burst' } as const

/** One row of two panels per profile that was fitted. */
export function plotSvg(profiles: readonly FittedProfile[]): string {
  const fitted = profiles.filter(({ fit }) => fit !== undefined)
  const panels = fitted.map(
    (profile, i) => `<g transform="translate(0 ${i * panelHeight})">${panel(profile)}</g>`,
  )
  const height = Math.max(1, fitted.length) * panelHeight
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12">` +
    `<rect width="${width}" height="${height}" fill="white"/>${panels.join('')}</svg>\n`
  )
}

function panel({ name, fit, setup }: FittedProfile): string {
  const points = (fit?.points ?? []).filter(({ predictedMs }) => Number.isFinite(predictedMs))
  const title = `<text x="${left.x}" y="24" font-size="15" font-weight="bold">${escaped(name)} (${escaped(setup.engine)}): ${fit?.quality ?? ''}</text>`
  const kinds = [...new Set(points.map(({ metric }) => metric))]
  const legend = kinds.map((metric, i) => {
    const x = left.x + i * 130
    return `<circle cx="${x}" cy="42" r="4" fill="${colours[metric]}"/><text x="${x + 9}" y="46">${labels[metric]}</text>`
  })
  return `${title}${legend.join('')}${agreement(points)}${residuals(points)}`
}

/** Both axes in ms and logarithmic; the band is 10 % either way. */
function agreement(points: readonly FittedPoint[]): string {
  const values = points.flatMap(({ measuredMs, predictedMs }) => [measuredMs, predictedMs])
  const scale = logScale(Math.min(...values), Math.max(...values))
  const x = (value: number): number => left.x + scale.at(value) * plotSize
  const y = (value: number): number => left.y + (1 - scale.at(value)) * plotSize
  const { low, high } = scale
  const line = (factor: number, dash: string): string =>
    `<line x1="${px(x(low))}" y1="${px(y(low * factor))}" x2="${px(x(high))}" y2="${px(y(high * factor))}" stroke="#888" stroke-dasharray="${dash}"/>`
  const ticks = scale.ticks.map(
    (tick) =>
      `<text x="${px(x(tick))}" y="${left.y + plotSize + 16}" text-anchor="middle">${tick}</text>` +
      `<text x="${left.x - 6}" y="${px(y(tick) + 4)}" text-anchor="end">${tick}</text>`,
  )
  const dots = points.map((point) => dot(x(point.measuredMs), y(point.predictedMs), point))
  return (
    clipped('agreement', left, [line(1, ''), line(1.1, '4 4'), line(1 / 1.1, '4 4'), ...dots]) +
    ticks.join('') +
    caption(left.x + plotSize / 2, left.y + plotSize + 36, 'measured, ms') +
    `<text transform="translate(${left.x - 52} ${left.y + plotSize / 2}) rotate(-90)" text-anchor="middle">predicted, ms</text>`
  )
}

const mostError = 0.5

function residuals(points: readonly FittedPoint[]): string {
  const loads = points.map(loadOf)
  const scale = logScale(Math.min(...loads), Math.max(...loads))
  const x = (load: number): number => right.x + scale.at(load) * plotSize
  const y = (share: number): number =>
    right.y + (0.5 - Math.max(-1, Math.min(1, share / mostError)) / 2) * plotSize
  const level = (share: number, dash: string): string =>
    `<line x1="${right.x}" y1="${px(y(share))}" x2="${right.x + plotSize}" y2="${px(y(share))}" stroke="#888" stroke-dasharray="${dash}"/>`
  const dots = points.map((point) => dot(x(loadOf(point)), y(errorOf(point)), point))
  const shares = [-0.5, -0.25, 0, 0.25, 0.5].map(
    (share) => `<text x="${right.x - 6}" y="${px(y(share) + 4)}" text-anchor="end">${100 * share} %</text>`,
  )
  const ticks = scale.ticks.map(
    (tick) => `<text x="${px(x(tick))}" y="${right.y + plotSize + 16}" text-anchor="middle">${tick}</text>`,
  )
  return (
    clipped('residuals', right, [level(0, ''), level(0.1, '4 4'), level(-0.1, '4 4'), ...dots]) +
    shares.join('') +
    ticks.join('') +
    caption(right.x + plotSize / 2, right.y + plotSize + 36, 'sequences running') +
    `<text transform="translate(${right.x - 52} ${right.y + plotSize / 2}) rotate(-90)" text-anchor="middle">error of the prediction</text>`
  )
}

/** Sequences that run, on average; a prompt swept alone counts as one. */
function loadOf({ sample }: FittedPoint): number {
  switch (sample.kind) {
    case 'run':
      return Math.max(0.1, underWay(sample.run)?.running ?? 1)
    case 'decode':
      return sample.point.sequences
    case 'prefill':
      return 1
  }
}

interface LogScale {
  readonly low: number
  readonly high: number
  /** 0 at `low`, 1 at `high`. */
  readonly at: (value: number) => number
  /** Powers of ten inside, with 2 and 5 between where there are few. */
  readonly ticks: readonly number[]
}

function logScale(least: number, most: number): LogScale {
  const low = (Number.isFinite(least) && least > 0 ? least : 1) / 1.2
  const high = Math.max(low * 2, (Number.isFinite(most) ? most : 1) * 1.2)
  const decades = Math.log10(high / low)
  const steps = decades > 2.5 ? [1] : [1, 2, 5]
  const from = Math.floor(Math.log10(low))
  const ticks = Array.from({ length: Math.ceil(decades) + 2 }, (_, i) => from + i)
    .flatMap((power) => steps.map((step) => Number((step * 10 ** power).toPrecision(1))))
    .filter((tick) => tick >= low && tick <= high)
  return { low, high, at: (value) => Math.log10(value / low) / decades, ticks }
}

function dot(x: number, y: number, { metric }: FittedPoint): string {
  return `<circle cx="${px(x)}" cy="${px(y)}" r="3.5" fill="${colours[metric]}" fill-opacity="0.6"/>`
}

function clipped(
  id: string,
  { x, y }: { readonly x: number; readonly y: number },
  content: readonly string[],
): string {
  const frame = `<rect x="${x}" y="${y}" width="${plotSize}" height="${plotSize}"`
  return `<clipPath id="${id}">${frame}/></clipPath><g clip-path="url(#${id})">${content.join('')}</g>${frame} fill="none" stroke="#333"/>`
}

function caption(x: number, y: number, text: string): string {
  return `<text x="${x}" y="${y}" text-anchor="middle">${text}</text>`
}

function px(value: number): string {
  return value.toFixed(1)
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (each) => `&#${each.charCodeAt(0)};`)
}
