// Schedules and events that name what is not there, or contradict themselves.
import { nearest } from '../core/nearest.ts'
import { didYouMean, type PolicyDocument } from './decode.ts'
import { problem, repeated, type Spot, within } from './documents.ts'
import type { PolicyProblem } from './problem.ts'

/** What they contradict whatever else is in the document. */
export function scheduleConflicts({ tree, stated }: PolicyDocument): readonly PolicyProblem[] {
  const { schedules, events } = stated.spec.behavior
  const placed = (list: 'schedules' | 'events', index: number): Spot => ({
    tree,
    path: ['spec', 'behavior', list, index],
  })
  const sameNames = (list: 'schedules' | 'events', names: readonly string[]) =>
    repeated(
      names.map((name, index) => ({ name, ...within(placed(list, index), 'name') })),
      ({ name }) => name,
      (one, first) =>
        problem(one, `is the name of another ${list === 'schedules' ? 'schedule' : 'event'}`, first),
    )
  return [
    ...sameNames(
      'schedules',
      schedules.map(({ name }) => name),
    ),
    ...sameNames(
      'events',
      events.map(({ name }) => name),
    ),
    ...events.flatMap(({ from, until }, index) => {
      if (until > from) return []
      const at = placed('events', index)
      return [problem(within(at, 'until'), 'must be after from', within(at, 'from'))]
    }),
    ...schedules.flatMap(({ replicas = {} }, index) =>
      Object.entries(replicas).flatMap(([variant, { min, max }]) => {
        if (min === undefined || max === undefined || min <= max) return []
        const at = within(placed('schedules', index), 'replicas', variant)
        return [problem(within(at, 'max'), `must be at least min, which is ${min}`, within(at, 'min'))]
      }),
    ),
  ]
}

/** What they need of the rest of the document. */
export function scheduleGaps({ tree, stated }: PolicyDocument): readonly PolicyProblem[] {
  const { behavior, classes, variants } = stated.spec
  const variantNames = variants.map(({ name }) => name)
  return [
    ...behavior.schedules.flatMap(({ replicas = {} }, index) =>
      Object.keys(replicas).flatMap((name) => {
        if (variantNames.includes(name)) return []
        const at: Spot = { tree, path: ['spec', 'behavior', 'schedules', index, 'replicas', name] }
        return [unknown(at, name, 'variant', variantNames, { tree, path: ['spec', 'variants'] })]
      }),
    ),
    ...(['schedules', 'events'] as const).flatMap((list) =>
      behavior[list].flatMap(({ demand = {} }, index) =>
        Object.keys(demand).flatMap((name) => {
          const at: Spot = { tree, path: ['spec', 'behavior', list, index, 'demand', name] }
          const known = classes.map((trafficClass) => trafficClass.name)
          const position = known.indexOf(name)
          if (position < 0) return [unknown(at, name, 'class', known, { tree, path: ['spec', 'classes'] })]
          if (classes[position]?.latencyTolerant === undefined) return []
          const message = 'is a latency-tolerant class: what it needs follows from its deadline'
          return [problem(at, message, { tree, path: ['spec', 'classes', position, 'latencyTolerant'] })]
        }),
      ),
    ),
  ]
}

function unknown(
  at: Spot,
  name: string,
  kind: 'class' | 'variant',
  known: readonly string[],
  against: Spot,
): PolicyProblem {
  const message = `must be a ${kind} of this policy, ${known.join(', ')}${didYouMean(nearest(name, known))}`
  return problem(at, message, against)
}
