// Why a number is what it is, as data. sentence.ts says it.
import type { LimitedBy } from './capacity/question.ts'
import type { KeepsOne } from './demand/idle.ts'
import type { Pause } from './observation.ts'
import type { MissingReason } from './reading.ts'

export type Reason =
  | { readonly kind: 'demand'; readonly class: string; readonly requestsPerSecond: number }
  | {
      readonly kind: 'forecast'
      readonly class: string
      readonly requestsPerSecond: number
      readonly quantile: number
      readonly horizonSeconds: number
    }
  /** Requests of the class get longer. */
  | { readonly kind: 'heavier'; readonly class: string; readonly factor: number }
  | {
      readonly kind: 'carries'
      readonly class: string
      readonly share: number
      readonly perReplica: number
      readonly limitedBy: LimitedBy
    }
  | {
      readonly kind: 'schedule'
      readonly schedule: string
      readonly class: string
      readonly requestsPerSecond: number
      /** 0: its window is open. */
      readonly opensInSeconds: number
    }
  | {
      readonly kind: 'scheduledBounds'
      readonly schedules: readonly string[]
      readonly min: number
      readonly max: number
    }
  | { readonly kind: 'scheduleHold'; readonly schedule: string }
  | {
      readonly kind: 'keepsOne'
      readonly class: string
      readonly why: KeepsOne
      readonly afterSeconds: number
    }
  | { readonly kind: 'fromZero'; readonly class: string }
  | { readonly kind: 'gatewayUnseen'; readonly class: string; readonly missing: MissingReason }
  | {
      readonly kind: 'bursty'
      readonly class: string
      readonly dispersion: number
      readonly seconds: number
      /** Nearly all requests arrive while the rate is below this. */
      readonly requestsPerSecond: number
    }
  /** For each API server of a replica. */
  | {
      readonly kind: 'frontEnd'
      readonly requestsPerSecond: number
      readonly tokensPerSecond: number
      readonly apiServers: number
    }
  | { readonly kind: 'holdPair'; readonly wanted: number; readonly other: 'prefill' | 'decode' }
  | { readonly kind: 'cannotServe'; readonly class: string; readonly why: string }
  | { readonly kind: 'atMin'; readonly min: number }
  | { readonly kind: 'atMax'; readonly max: number }
  | { readonly kind: 'poolFull'; readonly pool: string; readonly gpus: number }
  | { readonly kind: 'lossNotCovered'; readonly requestsPerSecond: number }
  | { readonly kind: 'shareNotReached'; readonly class: string }
  | { readonly kind: 'overBudget'; readonly perHour: number }
  | { readonly kind: 'notNeeded' }
  | {
      readonly kind: 'holdDemand'
      readonly class: string
      readonly requestsPerSecond: number
      readonly untilSecond: number
    }
  | {
      readonly kind: 'holdNoise'
      readonly class: string
      readonly requestsPerSecond: number
      readonly untilSecond: number
    }
  /** `untilSecond`: when what is spare goes all the same; absent where nothing is. */
  | { readonly kind: 'notWorthIt'; readonly savingPerHour: number; readonly untilSecond?: number }
  | { readonly kind: 'holdDown'; readonly wanted: number; readonly untilSecond: number }
  | { readonly kind: 'holdUntilReady'; readonly wanted: number; readonly waitingFor: string }
  /** Found no node for longer than a start takes. */
  | { readonly kind: 'pending'; readonly replicas: number; readonly seconds: number; readonly why: string }
  | { readonly kind: 'slowStart'; readonly replicas: number; readonly seconds: number }
  | { readonly kind: 'paused'; readonly stops: Pause['stops']; readonly replicas: number }
  | { readonly kind: 'waitsForGpus'; readonly wanted: number; readonly pool: string }
  | { readonly kind: 'stepLimit'; readonly wanted: number; readonly limit: number }
  | { readonly kind: 'deadBand'; readonly wanted: number; readonly reachable: number }
  | { readonly kind: 'holdMissing'; readonly signal: string; readonly missing: MissingReason }
  | { readonly kind: 'unknown'; readonly signal: string; readonly missing: MissingReason }
  | { readonly kind: 'holdFailure'; readonly why: string }
  | { readonly kind: 'shortfall'; readonly class: string; readonly requestsPerSecond: number }
  | {
      readonly kind: 'deadlineLost'
      readonly class: string
      /** Still undone at the deadline, by the plan. */
      readonly requests: number
      readonly dueInSeconds: number
      /** What the plan leaves uncarried of the rate that meets every deadline; 0: what starts now comes too late. */
      readonly morePerSecond: number
    }
  | {
      readonly kind: 'deadlineMissed'
      readonly class: string
      readonly requests: number
      /** The oldest of them. */
      readonly overdueSeconds: number
    }
  | { readonly kind: 'outOfReach'; readonly class: string }
  | { readonly kind: 'guessedProfile'; readonly profile: string }
  | { readonly kind: 'assumedShape'; readonly class: string }
  /** `ratio`: measured time over the profile's. */
  | {
      readonly kind: 'offProfile'
      readonly ratio: number
      readonly profile: string
      readonly sinceSecond: number
    }
  | {
      readonly kind: 'learntHeadroom'
      readonly class: string
      readonly planned: number
      readonly learnt: number
    }
  | { readonly kind: 'lateAwaiting'; readonly class: string; readonly broken: number }
  | { readonly kind: 'lateBelowCapacity'; readonly class: string; readonly broken: number }
