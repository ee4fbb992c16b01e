// The floor that was found, as people and programs read it: what was tried, and what to write into the policy.
import type { FloorDocument, FloorTrial } from '../backtest/floor.ts'
import type { ClassId, PolicySet } from '../core/policy.ts'
import { type Cell, csvText } from './csv.ts'
import { change, money, rate } from './figures.ts'
import { type ColumnHead, table, wrap } from './table.ts'

const heads: readonly ColumnHead[] = [
  { title: 'OF THE PEAK', align: 'right' },
  { title: 'COST', align: 'right' },
  { title: 'ATTAINED', align: 'left' },
]

/** `names`: of the policies' classes. */
export function floorTable(
  document: FloorDocument,
  policies: PolicySet,
  names: ReadonlyMap<ClassId, string>,
  width: number,
): string {
  const { trials, found } = document
  const nameOf = (id: ClassId): string => names.get(id) ?? id
  const rows = trials.map(({ share, floors, attained, dollarsPerHour }) => [
    share === 0 ? 'no floor' : `${(100 * share).toFixed(1)} %`,
    money(dollarsPerHour),
    Object.entries(attained)
      .map(([id, each]) => {
        const floor = floors[id]
        return `${nameOf(id)} ${(100 * each).toFixed(2)} %${floor === undefined ? '' : ` at ${rate(floor)}/s`}`
      })
      .join(', '),
  ])
  const lines = [...table(heads, rows, width), '', ...wrap(verdict(document, nameOf), width)]
  const advice = found === undefined || found.share === 0 ? [] : ['', ...advised(found, policies)]
  return `${[...lines, ...advice].join('\n')}\n`
}

/** A line per floor that was tried and class. */
export function floorCsv({ trials, found }: FloorDocument): string {
  const head: readonly Cell[] = [
    ...['share_of_peak', 'class', 'floor_requests_per_second', 'attained', 'dollars_per_hour', 'found'],
  ]
  const lines = trials.flatMap(({ share, floors, attained, dollarsPerHour }) =>
    Object.entries(attained).map(([id, each]): readonly Cell[] => [
      ...[share, id, floors[id] ?? 0, each, dollarsPerHour, share === found?.share ? 'yes' : 'no'],
    ]),
  )
  return csvText([head, ...lines])
}

function verdict({ trials, found, goal }: FloorDocument, nameOf: (id: ClassId) => string): string {
  const [without] = trials
  const asked = percentOf(goal)
  if (without === undefined) return ''
  if (found === undefined) {
    const most = trials.at(-1)?.share ?? 0
    return `No floor attains ${asked}, not even ${percentOf(most)} of the busiest minute: what is late then does not wait for replicas to start. Try a longer SLO, faster engines, or look into bursts within a minute.`
  }
  if (found.share === 0) return `No floor is needed: ${asked} is attained without one.`
  const floors = Object.entries(found.floors).map(
    ([id, floor]) => `${rate(floor)} requests/s of ${nameOf(id)}`,
  )
  return `With at least ${floors.join(' and ')} planned for at all times, ${asked} is attained at ${money(found.dollarsPerHour)}${change(without.dollarsPerHour, found.dollarsPerHour)}. In the policy:`
}

function percentOf(share: number): string {
  return `${Number((100 * share).toFixed(4))} %`
}

/** For the policies that need a floor, one after another. */
function advised({ floors }: FloorTrial, { policies }: PolicySet): readonly string[] {
  return policies.flatMap(({ id, classes }) => {
    const demand = classes.flatMap(({ id: classId, name }) => {
      const floor = floors[classId]
      return floor === undefined ? [] : [`${name}: { atLeast: ${floor} }`]
    })
    if (demand.length === 0) return []
    return [
      `  # ${id}`,
      '  behavior:',
      '    schedules:',
      `      - { name: floor, from: "00:00", until: "00:00", demand: { ${demand.join(', ')} } }`,
    ]
  })
}
