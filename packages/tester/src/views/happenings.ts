import type { TimelineEvent } from '../api/types.js'

/** Something that happened to a plugin: one event, or all steps of one swap. */
export interface Happening {
  kind: TimelineEvent['type']
  at: number
  plugin: string
  /** The plugins that it is about. */
  names: readonly string[]
  /** More than one only of a swap. */
  events: readonly [TimelineEvent, ...TimelineEvent[]]
}

/** Puts the steps of each swap together; the oldest first. */
export function happenings(events: readonly TimelineEvent[]): Happening[] {
  const all: Happening[] = []
  const swaps = new Map<string, number>()
  for (const event of events) {
    const { type, plugin, replacement, step, at, place = 1 } = event
    const pair = `${plugin} ${replacement ?? ''}`
    const index = type === 'swap' && (step !== 'start' || place > 1) ? swaps.get(pair) : undefined
    const begun = index === undefined ? undefined : all[index]
    if (index !== undefined && begun) {
      // The switch is what matters to whoever calls.
      const when = step === 'switch' || event.error !== undefined ? at : begun.at
      all[index] = { ...begun, at: when, events: [...begun.events, event] }
      continue
    }
    if (type === 'swap') swaps.set(pair, all.length)
    all.push({
      kind: type,
      at,
      plugin,
      names: replacement === undefined ? [plugin] : [plugin, replacement],
      events: [event],
    })
  }
  return all
}
