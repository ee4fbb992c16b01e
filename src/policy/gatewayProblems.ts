// Classes that a gateway's series cannot tell apart: each would be given the demand of both.
import type { PolicyDocument } from './decode.ts'
import { problem, type Spot } from './documents.ts'
import type { PolicyProblem } from './problem.ts'
import type { StatedClass } from './schema.ts'

export function indistinctAtGateway({ tree, stated }: PolicyDocument): readonly PolicyProblem[] {
  const { classes } = stated.spec
  return classes.flatMap((trafficClass, index) => {
    const first = classes.findIndex((other, order) => order < index && overlap(trafficClass, other))
    const other = classes[first]
    if (other === undefined) return []
    const spot = (position: number): Spot => ({ tree, path: ['spec', 'classes', position, 'demand'] })
    const message = `must match a label with another value than ${other.name} does: the gateway cannot tell the two apart`
    return [problem(spot(index), message, spot(first))]
  })
}

/** Whether some series could belong to both. */
function overlap({ demand: one }: StatedClass, { demand: other }: StatedClass): boolean {
  if (one?.gateway === undefined || one.gateway !== other?.gateway || one.namespace !== other.namespace)
    return false
  const match = one.match ?? {}
  return Object.entries(other.match ?? {}).every(
    ([label, value]) => !Object.hasOwn(match, label) || match[label] === value,
  )
}
