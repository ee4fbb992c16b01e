// Stated schedules and events to those that the decision reads: ids for names, zones as offsets.
import type { Schedule, ScheduledDemand } from '../core/policy.ts'
import { type StatedEvent, type StatedSchedule, weekdays } from './scheduleFields.ts'
import { zoneOffsets } from './zones.ts'

export function schedulesOf(
  policyId: string,
  schedules: readonly StatedSchedule[],
  events: readonly StatedEvent[],
): readonly Schedule[] {
  return [
    ...schedules.map((stated) => weekly(policyId, stated)),
    ...events.map(
      ({ name, from, until, demand }): Schedule => ({
        title: `event ${name}`,
        when: { kind: 'once', fromSecond: from, untilSecond: until },
        hold: false,
        replicas: {},
        demand: demandOf(policyId, demand),
      }),
    ),
  ]
}

function weekly(policyId: string, stated: StatedSchedule): Schedule {
  const { name, days = weekdays, from, until, timeZone, replicas = {}, demand = {}, hold } = stated
  const zone = zoneOffsets(timeZone)
  if (zone === undefined) throw new Error(`the schema let the time zone ${timeZone} pass`)
  return {
    title: `schedule ${name}`,
    when: {
      kind: 'weekly',
      days: weekdays.flatMap((day, index) => (days.includes(day) ? [index] : [])),
      fromSecond: from,
      untilSecond: until > from ? until : until + 86_400,
      zone,
    },
    hold,
    replicas: Object.fromEntries(
      Object.entries(replicas).map(([variant, { min, max }]) => [
        `${policyId}/${variant}`,
        { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) },
      ]),
    ),
    demand: demandOf(policyId, demand),
  }
}

function demandOf(
  policyId: string,
  demand: NonNullable<StatedSchedule['demand']>,
): Readonly<Record<string, ScheduledDemand>> {
  return Object.fromEntries(
    Object.entries(demand).map(([name, { atLeast, factor }]) => [
      `${policyId}/${name}`,
      {
        ...(atLeast === undefined ? {} : { atLeastPerSecond: atLeast }),
        ...(factor === undefined ? {} : { factor }),
      },
    ]),
  )
}
