// NVIDIA Dynamo's planner: the next interval's requests over what one engine carries at 100 %, rounded up, per phase
// and for one engine type (ai-dynamo/dynamo, planner/core/throughput_scaling.py; 180 s, ARIMA, at least one engine);
// between those, its load-based loop may add engines, or take them down to that many (./dynamoReactive.ts).
//
//   replicas = max(ceil(next requests per second / engine requests per second), 1)
import type { ScalingPolicy, Variant } from '../../core/policy.ts'
import { arrangementNamed } from './arrangement.ts'
import { reactive } from './dynamoReactive.ts'
import { fleetOf, type MeanLengths, meanLengths, requestsPerSecond } from './fleet.ts'
import { type NextValue, type Predictor, predictor } from './nextValue.ts'
import type { Configuration, Peer } from './peer.ts'
import { meanGoalOf, profiledCapacity } from './profiledCapacity.ts'
import { controllerOf, type Rule, wants } from './rule.ts'

export interface PlannerParameters {
  readonly arrangement: string
  readonly predictor: Predictor
  readonly intervalSeconds: number
  /** Demand is multiplied by it before sizing. Dynamo has none; users scale the SLA or the profile instead. */
  readonly safetyFactor: number
  readonly loadScaling: 'on' | 'off'
}

export const shippedPlanner: Omit<PlannerParameters, 'arrangement'> = {
  predictor: 'arima',
  intervalSeconds: 180,
  safetyFactor: 1,
  loadScaling: 'on',
}

const loadIntervalSeconds = 5
/** Where only the interval matters, the rate is still sampled this often, so that its mean is over all of it. */
const sampleSeconds = 15

export function dynamoPlanner(parameters: PlannerParameters): Configuration {
  const { arrangement, predictor: kind, intervalSeconds, safetyFactor, loadScaling } = parameters
  const loop = loadScaling === 'on' ? ' + load loop' : ''
  return {
    label: `${arrangement}, ${kind} ${intervalSeconds} s x ${safetyFactor}${loop}`,
    controllerOf: controllerOf('dynamo-planner', (policy) => ruleOf(policy, parameters)),
  }
}

function ruleOf(policy: ScalingPolicy, parameters: PlannerParameters): Rule {
  const { variants } = arrangementNamed(policy, parameters.arrangement)
  const goal = meanGoalOf(policy)
  const interval = new Interval(parameters)
  let planned: ReadonlyMap<Variant, number> | undefined
  return {
    intervalSeconds: parameters.loadScaling === 'on' ? loadIntervalSeconds : sampleSeconds,
    actuations: new Map(variants.map(({ id }) => [id, { kind: 'direct' }])),
    step: (observation) => {
      const ended = interval.add(
        observation.at,
        requestsPerSecond(policy, observation),
        meanLengths(policy, observation),
      )
      if (ended !== undefined) {
        const { rate, lengths } = ended
        const needed = (variant: Variant): number =>
          Math.ceil((rate * parameters.safetyFactor) / profiledCapacity(variant, lengths, goal) - 1e-9)
        planned = new Map(variants.map((variant) => [variant, Math.max(1, needed(variant))]))
      }
      const lengths = interval.lengths
      if (lengths === undefined) return {}
      return Object.fromEntries(
        variants.flatMap((variant) => {
          const floor = planned?.get(variant)
          if (parameters.loadScaling === 'off')
            return floor === undefined ? [] : [[variant.id, wants(variant, floor)]]
          const load = reactive(variant, fleetOf(variant, observation), lengths, goal)
          return [[variant.id, wants(variant, Math.max(load, floor ?? 1))]]
        }),
      )
    },
  }
}

/** Gathers an interval's mean rate and lengths, and foresees the next one's when it ends. */
class Interval {
  /** As seen last. */
  lengths: MeanLengths | undefined = undefined
  private readonly seconds: number
  private readonly rate: NextValue
  private readonly prompt: NextValue
  private readonly output: NextValue
  private samples: number[] = []
  private begunAt: number | undefined = undefined

  constructor({ intervalSeconds, predictor: kind }: PlannerParameters) {
    this.seconds = intervalSeconds
    this.rate = predictor(kind)
    this.prompt = predictor(kind)
    this.output = predictor(kind)
  }

  add(
    at: number,
    rate: number,
    lengths: MeanLengths | undefined,
  ): { readonly rate: number; readonly lengths: MeanLengths } | undefined {
    this.begunAt ??= at
    this.samples.push(rate)
    this.lengths = lengths ?? this.lengths
    if (at - this.begunAt < this.seconds || this.lengths === undefined) return undefined
    this.rate.add(this.samples.reduce((sum, each) => sum + each, 0) / this.samples.length)
    this.prompt.add(this.lengths.promptTokens)
    this.output.add(this.lengths.outputTokens)
    this.samples = []
    this.begunAt = at
    return {
      rate: this.rate.next(),
      lengths: {
        promptTokens: Math.max(1, this.prompt.next()),
        outputTokens: Math.max(1, this.output.next()),
      },
    }
  }
}

/** Beyond 2 on traffic whose lengths vary much: capacity at mean lengths is that far off. */
const factors = [1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2, 2.2, 2.4, 2.6, 2.8, 3]

export function dynamoPlannerPeer(names: readonly string[]): Peer {
  return {
    name: 'dynamo-planner',
    source: 'ai-dynamo/dynamo, components/src/dynamo/planner (throughput_scaling, load_scaling, predictors)',
    shipped: dynamoPlanner({ ...shippedPlanner, arrangement: names[0] ?? '' }),
    grid: names.flatMap((arrangement) =>
      [60, 180].flatMap((intervalSeconds) =>
        (['constant', 'arima', 'kalman'] as const).flatMap((kind) =>
          factors.map((safetyFactor) =>
            dynamoPlanner({
              ...{ arrangement, intervalSeconds, safetyFactor },
              ...{ predictor: kind, loadScaling: 'off' },
            }),
          ),
        ),
      ),
    ),
  }
}
