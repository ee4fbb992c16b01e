// The show as text: a picture that is redrawn on a terminal, a line now and then anywhere else, and the summary.
import type { VariantDecision } from '../core/decision.ts'
import { isMissing } from '../core/reading.ts'
import { sentence } from '../core/sentence.ts'
import type { FleetClass } from '../simulation/fleet.ts'
import type { DriverEvent } from './kedaDriver.ts'
import type { Frame, VariantFrame } from './play.ts'
import type { Summary } from './summary.ts'
import type { Service } from './watch.ts'

export interface Scenery {
  readonly title: string
  readonly bounds: FleetClass
  /** Length of the show in virtual seconds, and how many of them pass in one real second. */
  readonly untilSeconds: number
  readonly speed: number
}

/** Newest last. */
export interface Past {
  /** Requests per second and dollars per hour, frame by frame. */
  readonly load: readonly number[]
  readonly cost: readonly number[]
  readonly events: readonly { readonly atSeconds: number; readonly event: DriverEvent }[]
}

const shownEvents = 5

/** A picture of always the same number of lines, none wider than the terminal. */
export function picture(frame: Frame, past: Past, scenery: Scenery, columns: number): string[] {
  const { recent } = frame
  const { ttftSeconds, itlSeconds } = scenery.bounds
  const graph = Math.max(10, Math.min(60, columns - 34))
  const latest = past.events.slice(-shownEvents)
  const lines = [
    `mixscaler demo: ${scenery.title}`,
    `${clock(frame.atSeconds)} of ${clock(scenery.untilSeconds)}, ${scenery.speed} times as fast as life`,
    '',
    `load      ${rate(recent.requestsPerSecond).padStart(11)}   ${sparkline(past.load, graph)}`,
    `cost      ${perHour(frame.costPerHour).padStart(11)}   ${sparkline(past.cost, graph)}`,
    `TTFT p95  ${milliseconds(recent.ttftP95).padStart(11)}   ${verdict(recent.ttftP95, ttftSeconds)}`,
    `ITL p95   ${milliseconds(recent.itlP95).padStart(11)}   ${verdict(recent.itlP95, itlSeconds)}`,
    '',
    `${'variant'.padEnd(18)}ready  starting  target  why`,
    ...frame.variants.map((variant) => variantRow(variant, frame)),
    '',
    `in time: ${share(frame.service.ttft)} of first tokens, ${share(frame.service.itl)} of next ones; spent ${dollars(frame.cost)}`,
    '',
    ...latest.map(({ atSeconds, event }) => `${clock(atSeconds)}  ${eventText(event)}`),
    ...Array.from({ length: shownEvents - latest.length }, () => ''),
  ]
  return lines.map((line) => (line.length > columns ? `${line.slice(0, columns - 1)}…` : line))
}

/** What the lines below it mean. */
export function legend({ title, bounds, untilSeconds, speed }: Scenery): string {
  const { ttftSeconds, itlSeconds } = bounds
  return (
    `mixscaler demo: ${title}, ${clock(untilSeconds)} in ${Math.round(untilSeconds / speed)} s.\n` +
    `SLO: TTFT p95 ${milliseconds(ttftSeconds)}, ITL p95 ${milliseconds(itlSeconds)}. Replicas read ready+starting->target.`
  )
}

/** The same in one line, for logs and pipes. */
export function logLine(frame: Frame): string {
  const { recent } = frame
  const variants = frame.variants.map((variant) => {
    const starting = variant.starting > 0 ? `+${variant.starting}` : ''
    return `${variant.name} ${variant.ready}${starting}->${targetOf(variant, frame)}`
  })
  return [
    clock(frame.atSeconds),
    rate(recent.requestsPerSecond),
    `TTFT p95 ${milliseconds(recent.ttftP95)}`,
    `ITL p95 ${milliseconds(recent.itlP95)}`,
    ...variants,
    perHour(frame.costPerHour),
    whyNow(frame),
  ]
    .join('  ')
    .trimEnd()
}

export function summaryText(summary: Summary): string {
  const { cost, peakFleet } = summary
  const counts = Object.entries(peakFleet.replicas).map(([name, replicas]) => `${replicas} x ${name}`)
  const saved = peakFleet.cost > 0 ? 1 - cost / peakFleet.cost : 0
  return [
    '',
    `${summary.requests} requests in ${clock(summary.simulatedSeconds)}, at most ${rate(summary.peakRequestsPerSecond)}.`,
    '',
    '            minutes   first tokens  next tokens',
    '            in SLO    in time       in time          cost',
    serviceRow('mixscaler', summary.service, cost),
    `${serviceRow('static', peakFleet.service, peakFleet.cost)}   ${counts.join(' + ')} all the time: sized for the peak`,
    '',
    `Mixscaler cost ${Math.round(Math.abs(saved) * 100)} % ${saved >= 0 ? 'less' : 'more'}. ${summary.scaleEvents} changes of replica counts, ${summary.decisions} decisions, ${summary.failedCalls} failed calls.`,
    '',
    'Go on with your own fleet, without changing anything in it:',
    '  mixscaler validate --policy policies/',
    '  mixscaler plan --policy policies/ --prometheus http://localhost:9090',
    '',
  ].join('\n')
}

function serviceRow(name: string, { time, ttft, itl }: Service, cost: number): string {
  const shares = `${share(time).padEnd(10)}${share(ttft).padEnd(14)}${share(itl).padEnd(13)}`
  return `${name.padEnd(12)}${shares}${dollars(cost).padStart(8)}`
}

function variantRow(variant: VariantFrame, frame: Frame): string {
  const { name, ready, starting } = variant
  const counts = `${String(ready).padStart(5)}  ${String(starting).padStart(8)}  ${targetOf(variant, frame).padStart(6)}`
  const decided = decisionOf(variant, frame)
  return `${name.padEnd(18)}${counts}  ${decided?.reasons.map(sentence).join('; ') ?? ''}`
}

/** The reason of the variant which is about to change, else the policy's own. */
function whyNow(frame: Frame): string {
  const policy = frame.decision?.policies[0]
  const moving = frame.variants
    .map((variant) => ({ variant, decided: decisionOf(variant, frame) }))
    .find(({ variant, decided }) => decided?.target !== variant.ready + variant.starting)
  const [why] = moving?.decided?.reasons ?? []
  if (moving !== undefined && why !== undefined) return `${moving.variant.name} ${sentence(why)}`
  const [first] = policy?.reasons ?? []
  return first === undefined ? '' : sentence(first)
}

function targetOf(variant: VariantFrame, frame: Frame): string {
  const target = decisionOf(variant, frame)?.target
  return target === undefined || isMissing(target) ? '-' : String(target)
}

/** Deployments carry the variants of the demo's one policy in the same order. */
function decisionOf(variant: VariantFrame, frame: Frame): VariantDecision | undefined {
  return frame.decision?.policies[0]?.variants[frame.variants.indexOf(variant)]
}

function eventText(event: DriverEvent): string {
  const who = event.by === 'keda' ? 'KEDA' : 'HPA'
  switch (event.kind) {
    case 'scaled':
      return `${who} scales ${event.target} from ${event.from} to ${event.to}`
    case 'failed':
      return `${who} gets no answer for ${event.target}: ${event.why}`
  }
}

const bars = '▁▂▃▄▅▆▇█'

/** The last `width` values, averaged together where there are more, against the highest of them. */
function sparkline(values: readonly number[], width: number): string {
  const per = Math.max(1, Math.ceil(values.length / width))
  const means: number[] = []
  for (let i = 0; i < values.length; i += per) {
    const group = values.slice(i, i + per)
    means.push(group.reduce((sum, value) => sum + value, 0) / group.length)
  }
  const highest = Math.max(...means, Number.MIN_VALUE)
  return means.map((mean) => bars[Math.min(7, Math.floor((mean / highest) * 8))]).join('')
}

function verdict(seconds: number | undefined, bound: number): string {
  const kept = seconds === undefined || seconds <= bound ? 'within' : 'ABOVE'
  return `${kept} ${milliseconds(bound)}`
}

function clock(seconds: number): string {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0')
  return `${two(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`
}

function rate(requestsPerSecond: number): string {
  return `${requestsPerSecond.toFixed(1)} req/s`
}

function milliseconds(seconds: number | undefined): string {
  return seconds === undefined ? '-' : `${Math.round(seconds * 1000)} ms`
}

function share(value: number | undefined): string {
  return value === undefined ? '-' : `${(value * 100).toFixed(2)} %`
}

function perHour(value: number): string {
  return `${dollars(value)}/h`
}

function dollars(value: number): string {
  return `$${value.toFixed(2)}`
}
