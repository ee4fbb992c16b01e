// Which replica a request goes to: the ways in for its class (unified replicas, or the prefill side of a transfer
// group) and, for a prompt whose KV is ready, the decode side of that group. Among replicas by the fleet's rule.
import type { Pod } from './pod.ts'
import type { Random } from './random.ts'

export type Routing = 'joinShortestQueue' | 'roundRobin' | 'random'

/** A way in for one class. A transfer group is as strong as its weaker side. */
interface Way {
  /** Undefined: unified replicas. */
  readonly group: string | undefined
  readonly entrances: readonly Pod[]
  readonly exits: readonly Pod[]
  readonly weight: number
  /** Requests sent this way over its weight: the least served way is next. */
  served: number
}

export class Router {
  private readonly routing: Routing
  private readonly random: Random
  private ways: readonly (readonly Way[])[] = []
  private turn = 0

  constructor(routing: Routing, random: Random) {
    this.routing = routing
    this.random = random
  }

  /** To be told whenever replicas become ready or cease to be. All ways then start level. */
  setReady(ready: readonly Pod[], classes: number): void {
    this.ways = Array.from({ length: classes }, (_, classIndex) => waysOf(ready, classIndex))
  }

  /** Those that may take requests of the class first. */
  entrances(classIndex: number): readonly Pod[] {
    return this.ways[classIndex]?.flatMap(({ entrances }) => entrances) ?? []
  }

  /** Where a request of the class enters; undefined where nobody can take it. */
  enter(classIndex: number): Pod | undefined {
    const ways = this.ways[classIndex] ?? []
    let way = ways[0]
    for (const other of ways) if (way !== undefined && other.served < way.served) way = other
    if (way === undefined) return undefined
    way.served += 1 / way.weight
    return this.choose(way.entrances)
  }

  /** Where a prompt prefilled in the group is decoded; undefined where nobody is ready to. */
  exit(classIndex: number, group: string): Pod | undefined {
    const way = this.ways[classIndex]?.find((candidate) => candidate.group === group)
    return way === undefined ? undefined : this.choose(way.exits)
  }

  private choose(pods: readonly Pod[]): Pod | undefined {
    switch (this.routing) {
      case 'roundRobin':
        return pods[this.turn++ % pods.length]
      case 'random':
        return pods[this.random.integer(pods.length)]
      case 'joinShortestQueue': {
        // Ties go round, so that an idle fleet does not send everything to its first replica.
        const offset = this.turn++
        let best: Pod | undefined
        let least = Infinity
        for (let i = 0; i < pods.length; i++) {
          const pod = pods[(i + offset) % pods.length]
          const load = pod === undefined ? Infinity : (pod.inSystem + 1) / pod.variant.routingWeight
          if (load < least) {
            least = load
            best = pod
          }
        }
        return best
      }
    }
  }
}

function waysOf(ready: readonly Pod[], classIndex: number): readonly Way[] {
  const able = ready.filter(
    ({ variant }) => variant.classes === undefined || variant.classes.includes(classIndex),
  )
  const groups = [...new Set(able.map(({ variant }) => variant.transferGroup))]
  return groups.flatMap((group): readonly Way[] => {
    const side = (...roles: readonly Pod['variant']['role'][]): readonly Pod[] =>
      able.filter(({ variant }) => variant.transferGroup === group && roles.includes(variant.role))
    const entrances = side('unified', 'prefill')
    const exits = side('unified', 'decode')
    const weight = Math.min(weightOf(entrances), weightOf(exits))
    return weight > 0 ? [{ group, entrances, exits, weight, served: 0 }] : []
  })
}

function weightOf(pods: readonly Pod[]): number {
  return pods.reduce((sum, { variant }) => sum + variant.routingWeight, 0)
}
