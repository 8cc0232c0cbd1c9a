import { expect, it } from 'vitest'
import type { TimelineEvent } from '../src/api/types.js'
import { happenings } from '../src/views/happenings.js'

let at = 0

function event(
  type: TimelineEvent['type'],
  plugin: string,
  more: Partial<TimelineEvent> = {},
): TimelineEvent {
  at += 10
  return { at, type, plugin, ...more }
}

it('makes one of all steps of a swap, whatever happens between them, and another of the next swap', () => {
  const to = { replacement: 'new' }
  const events = [
    event('swap', 'old', { ...to, step: 'start' }),
    event('crash', 'other'),
    event('swap', 'old', { ...to, step: 'switch' }),
    event('swap', 'old', { ...to, step: 'retire' }),
    event('swap', 'old', { ...to, step: 'start', error: 'no' }),
  ]
  const [first, crash, second, ...rest] = happenings(events)
  expect(rest).toEqual([])
  expect(first?.events.map(({ step }) => step)).toEqual(['start', 'switch', 'retire'])
  expect(first).toMatchObject({ kind: 'swap', at: events[2]?.at, names: ['old', 'new'] })
  expect(crash).toMatchObject({ kind: 'crash', plugin: 'other', names: ['other'] })
  expect(second?.events).toEqual([events[4]])
})

it('keeps the steps of a swap whose beginning it has not seen', () => {
  const steps = ['switch', 'retire'].map((step) => event('swap', 'old', { replacement: 'old', step }))
  expect(happenings(steps).map(({ events }) => events)).toEqual([steps])
})
