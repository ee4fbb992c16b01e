// What authors know ahead of time, as they write it: weekly windows on the clock of a place, and events at an instant.
import * as z from 'zod'
import { count, listOf, mapping, name, someOf } from './fields.ts'
import { zoneOffsets } from './zones.ts'

export const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const

const ofAnyMapping = ({ value }: { readonly value: unknown }) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Seconds of the day from `08:30`; `24:00` is its end. */
function timeOfDay() {
  const error = 'must be a time of day in quotes, such as "08:30", up to "24:00"'
  return z
    .string({ error })
    .regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, { error })
    .transform((text) => {
      const [hours = 0, minutes = 0] = text.split(':').map(Number)
      return hours * 3600 + minutes * 60
    })
}

/** Seconds since the epoch from an instant with its offset: without one it would mean another time at each server. */
function instant() {
  const error = 'must be an instant with its offset in quotes, such as "2026-11-27T09:00:00+01:00"'
  return z
    .string({ error })
    .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})$/, { error })
    .transform((text, context) => {
      const milliseconds = Date.parse(text)
      if (Number.isFinite(milliseconds)) return milliseconds / 1000
      context.addIssue({ code: 'custom', message: error, continue: true })
      return z.NEVER
    })
}

const demand = z
  .record(
    name(),
    mapping({
      atLeast: z
        .number({ error: 'must be requests per second, such as 40' })
        .positive({ error: 'must be greater than 0' })
        .optional()
        .describe('Requests per second to plan for at least.'),
      factor: z
        .number({ error: 'must be a factor, such as 1.5' })
        .min(1, { error: 'must be at least 1' })
        .max(100, { error: 'must be at most 100' })
        .optional()
        .describe('Times the demand from before the window.'),
    }).refine((asked) => Object.keys(asked).length > 0, {
      error: 'must have at least one of atLeast, factor',
      when: ofAnyMapping,
    }),
    { error: 'must be demand by class, such as { chat: { atLeast: 40 } }' },
  )
  .optional()
  .describe('By class, from one lead time ahead.')

const schedule = mapping({
  name: name().describe('Name in reasons.'),
  days: someOf(z.enum(weekdays, { error: `must be one of ${weekdays.join(', ')}` }))
    .optional()
    .describe('Days on which the window begins; default every day.'),
  from: timeOfDay().describe('Begins; not above until: ends on the next day.'),
  until: timeOfDay().describe('Ends.'),
  timeZone: z
    .string({ error: 'must be a time zone, such as Europe/Berlin' })
    .refine((zone) => zoneOffsets(zone) !== undefined, {
      error: 'must be a time zone of the IANA database, such as Europe/Berlin',
    })
    .prefault('UTC')
    .describe('Whose clock.'),
  replicas: z
    .record(
      name(),
      mapping({
        min: count({ min: 0, max: 10_000 }).optional(),
        max: count({ min: 0, max: 10_000 }).optional(),
      }),
      { error: 'must be bounds by variant, such as { h100: { min: 4 } }' },
    )
    .optional()
    .describe('By variant: bounds in place of its own.'),
  demand,
  hold: z
    .boolean({ error: 'must be true or false' })
    .prefault(false)
    .describe('true: targets stay as they are.'),
}).refine(({ replicas, demand: asked, hold }) => hold || replicas !== undefined || asked !== undefined, {
  error: 'must have at least one of replicas, demand, hold',
  when: ofAnyMapping,
})

const event = mapping({
  name: name().describe('Name in reasons.'),
  from: instant().describe('Begins.'),
  until: instant().describe('Ends.'),
  demand: demand.unwrap().describe('By class, from one lead time ahead.'),
})

export const calendarFields = {
  schedules: listOf(schedule).prefault([]).describe('Weekly windows.'),
  events: listOf(event).prefault([]).describe('Known events.'),
}

export type StatedSchedule = z.output<typeof schedule>
export type StatedEvent = z.output<typeof event>
