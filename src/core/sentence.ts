// A reason in words. Text is made here once, so that the table, the log, the page and the API say the same sentence.
import type { LimitedBy } from './capacity/question.ts'
import type { Pause } from './observation.ts'
import type { MissingReason } from './reading.ts'
import type { Reason } from './reason.ts'

const limitNames: Readonly<Record<LimitedBy, string>> = {
  ttft: 'TTFT',
  itl: 'ITL',
  tpot: 'TPOT',
  kvCache: 'KV cache',
  maxNumSeqs: 'max-num-seqs',
  throughput: 'throughput',
}

const pauseNames: Readonly<Record<Pause['stops'], string>> = {
  all: 'paused',
  scaleIn: 'kept from scaling in',
  scaleOut: 'kept from scaling out',
}

const missingNames: Readonly<Record<MissingReason, string>> = {
  backendDown: 'the back end does not answer',
  noSeries: 'no such series',
  noReplicas: 'nothing runs',
  notANumber: 'the value is not a number',
  infinite: 'the value is infinite',
  stale: 'the newest sample is too old',
  notScraped: 'the scrape fails',
  idle: 'nothing happened in the window',
  notReported: 'the engine does not report it',
}

export function limitName(limit: LimitedBy): string {
  return limitNames[limit]
}

export function missingName(reason: MissingReason): string {
  return missingNames[reason]
}

/** One sentence without its full stop. */
export function sentence(reason: Reason): string {
  switch (reason.kind) {
    case 'demand':
      return `${reason.class} needs ${rate(reason.requestsPerSecond)}`
    case 'forecast':
      return `a replica of ${reason.class} ordered now is ready in ${duration(reason.horizonSeconds)}: by then ${rate(reason.requestsPerSecond)} at the ${percent(reason.quantile)} quantile`
    case 'heavier':
      return `requests of ${reason.class} are getting longer: planned for ${percent(reason.factor - 1)} more work each by the time a replica ordered now is ready`
    case 'carries':
      return `carries ${percent(reason.share)} of ${reason.class} at ${rate(reason.perReplica)} per replica, limited by ${limitName(reason.limitedBy)}`
    case 'schedule':
      return `${reason.schedule} asks for ${rate(reason.requestsPerSecond)} of ${reason.class}${
        reason.opensInSeconds > 0 ? `: it begins in ${duration(reason.opensInSeconds)}` : ''
      }`
    case 'scheduledBounds':
      return `${reason.schedules.join(' and ')}: between ${reason.min} and ${reason.max} replicas`
    case 'scheduleHold':
      return `${reason.schedule} holds every target`
    case 'keepsOne':
      return reason.why === 'blindAtZero'
        ? `one replica stays for ${reason.class}: engines cannot report requests that no replica receives`
        : `one replica stays for ${reason.class} until ${duration(reason.afterSeconds)} without demand are proven`
    case 'fromZero':
      return `${reason.class} has demand and nothing is ready: it is started from zero`
    case 'gatewayUnseen':
      return `the demand of ${reason.class} is read from its engines: its gateway cannot be read (${missingName(reason.missing)})`
    case 'bursty':
      return `arrivals of ${reason.class} vary ${reason.dispersion.toFixed(0)} times as much as Poisson ones over ${duration(reason.seconds)}: sizing cannot be trusted; minimums that carry ${rate(reason.requestsPerSecond)} would take nearly all of them`
    case 'frontEnd':
      return `each API server would pass on ${rate(reason.requestsPerSecond)} and ${reason.tokensPerSecond.toFixed(0)} tokens/s, with ${reason.apiServers} per replica: above 100 req/s or 10000 tokens/s it may be the limit before the engine`
    case 'holdPair':
      return `goes to ${reason.wanted} only together with its ${reason.other} side`
    case 'cannotServe':
      return `cannot serve ${reason.class}: ${reason.why}`
    case 'atMin':
      return `at its minimum of ${reason.min}`
    case 'atMax':
      return `at its maximum of ${reason.max}`
    case 'poolFull':
      return `pool ${reason.pool} has no more than ${reason.gpus} GPUs`
    case 'lossNotCovered':
      return `losing replicas of it would leave ${rate(reason.requestsPerSecond)} uncarried`
    case 'shareNotReached':
      return `cannot be given its minimum share of ${reason.class}`
    case 'overBudget':
      return `the budget of $${reason.perHour.toFixed(2)}/h is spent`
    case 'notNeeded':
      return 'not needed: others carry the demand more cheaply'
    case 'holdDemand':
      return `the plan is still made for the ${rate(reason.requestsPerSecond)} of ${reason.class} planned for a moment ago`
    case 'holdNoise':
      return `the plan is made for the ${rate(reason.requestsPerSecond)} that ${reason.class} reached within the last hour: what it asks for now differs by no more than its usual noise`
    case 'notWorthIt':
      return (
        `the cheapest mix would save $${reason.savingPerHour.toFixed(2)}/h: not worth the change` +
        (reason.untilSecond === undefined ? '' : ', but what is spare goes within a quarter of an hour')
      )
    case 'holdDown':
      return `holds before going down to ${reason.wanted}: too little has been seen yet`
    case 'holdUntilReady':
      return `stays above ${reason.wanted} until ${reason.waitingFor} is ready`
    case 'pending':
      return `${replicas(reason.replicas)} found no node for ${duration(reason.seconds)} (${reason.why}): planned around until one is free`
    case 'slowStart':
      return `${replicas(reason.replicas)} not ready ${duration(reason.seconds)} after the start: not counted on`
    case 'paused':
      return `${pauseNames[reason.stops]} by an annotation of its ScaledObject at ${reason.replicas}: planned around`
    case 'waitsForGpus':
      return `waits for GPUs of pool ${reason.pool} to become free before going to ${reason.wanted}`
    case 'stepLimit':
      return `moves towards ${reason.wanted} by steps of at most ${reason.limit}`
    case 'deadBand':
      return `the HPA would ignore ${reason.wanted}; ${reason.reachable} is the nearest count it acts on`
    case 'holdMissing':
      return `holds: ${reason.signal} is missing (${missingName(reason.missing)})`
    case 'unknown':
      return `no target: ${reason.signal} is missing (${missingName(reason.missing)})`
    case 'holdFailure':
      return `holds: ${reason.why}`
    case 'shortfall':
      return `${rate(reason.requestsPerSecond)} of ${reason.class} cannot be carried`
    case 'deadlineLost':
      return `about ${count(reason.requests)} requests of ${reason.class} due in ${duration(reason.dueInSeconds)} will be late: ${
        reason.morePerSecond > 0
          ? `${rate(reason.morePerSecond)} more would be needed`
          : 'what starts now comes too late'
      }`
    case 'deadlineMissed':
      return `about ${count(reason.requests)} requests of ${reason.class} are past their deadline, by up to ${duration(reason.overdueSeconds)}`
    case 'outOfReach':
      return `no replica meets the SLO of ${reason.class}, however idle: sized for throughput instead`
    case 'guessedProfile':
      return `sized by the estimate ${reason.profile}, not by a measured profile`
    case 'assumedShape':
      return `request lengths of ${reason.class} are assumed: none observed yet`
    case 'offProfile':
      return `${offBy(reason.ratio)} than its profile ${reason.profile} since ${timeOfDay(reason.sinceSecond)} UTC`
    case 'learntHeadroom':
      return `headroom of ${reason.class} is ${percent(reason.planned)}: ${percent(Math.abs(reason.learnt))} ${reason.learnt > 0 ? 'more' : 'less'} than the policy's, as its requests keep their SLO`
    case 'lateAwaiting':
      return `${percent(reason.broken)} of ${reason.class} broke its SLO in the last minute: what is planned for is not ready`
    case 'lateBelowCapacity':
      return `${percent(reason.broken)} of ${reason.class} broke its SLO in the last minute on engines with little to do: look for a broken one`
  }
}

function rate(requestsPerSecond: number): string {
  return `${requestsPerSecond < 10 ? requestsPerSecond.toFixed(2) : requestsPerSecond.toFixed(1)} req/s`
}

function replicas(number: number): string {
  return number === 1 ? '1 replica' : `${number} replicas`
}

function count(requests: number): string {
  return String(Math.ceil(requests))
}

function duration(seconds: number): string {
  const minutes = Math.round(seconds / 60)
  if (minutes < 1) return `${Math.round(seconds)} s`
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** 18 % slower: takes 1.18 times as long. */
function offBy(ratio: number): string {
  return ratio >= 1 ? `${percent(ratio - 1)} slower` : `${percent(1 - ratio)} faster`
}

/** Of the second's day. */
function timeOfDay(second: number): string {
  const minute = Math.floor(second / 60)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${two(Math.floor(minute / 60) % 24)}:${two(minute % 60)}`
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
