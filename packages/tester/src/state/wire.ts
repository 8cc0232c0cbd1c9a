import { signal } from '@preact/signals'
import type { LogLine, WireBatch } from '../api/types.js'

/** More are of no use to a person. */
const keptLines = 5000
const keptCharacters = 20_000_000

/** A message as a line of a log: its level is the direction. */
export interface WireRow extends LogLine {
  /** Whether it is a heartbeat or a health check, which the host sends all the time. */
  isRoutine: boolean
}

/** The messages of the plugin that is watched. */
export const wireLines = signal<readonly WireRow[]>([])
/** The message that is shown whole. */
export const shownMessage = signal<WireRow | undefined>(undefined)
/** Whose messages those are. */
export const watched = signal<string | undefined>(undefined)
/** Whether messages come: the host makes nothing of them otherwise. */
export const isWatching = signal(false)
/** Messages that came too fast to be sent. */
export const droppedMessages = signal(0)

let source: EventSource | undefined
let seq = 0
/** Requests of the host's own that have not been answered. */
const routine = new Set<unknown>()

/** Watches a plugin, and goes on while other sections are shown. What was seen of another one is forgotten. */
export function watch(plugin: string): void {
  source?.close()
  if (watched.value !== plugin) clearWire()
  watched.value = plugin
  isWatching.value = true
  source = new EventSource(`/wire?plugin=${encodeURIComponent(plugin)}`)
  source.addEventListener('message', ({ data }: MessageEvent<string>) => take(JSON.parse(data)))
}

export function stopWatching(): void {
  source?.close()
  isWatching.value = false
}

export function clearWire(): void {
  wireLines.value = []
  shownMessage.value = undefined
  routine.clear()
  droppedMessages.value = 0
}

function take({ lines, dropped }: WireBatch): void {
  const fresh = lines.map(({ time, plugin, direction, message }) => ({
    seq: ++seq,
    at: Date.parse(time),
    plugin,
    level: direction === 'to plugin' ? 'sent' : 'received',
    message: JSON.stringify(message),
    isRoutine: isRoutine(message),
  }))
  wireLines.value = bounded([...wireLines.value, ...fresh])
  droppedMessages.value += dropped
}

/** Whether a message asks how the plugin is, or answers that. */
function isRoutine(message: unknown): boolean {
  if (typeof message !== 'object' || message === null) return false
  const { id, method } = message as { id?: unknown; method?: unknown }
  if (method === undefined) return routine.delete(id)
  const asks = method === 'plugin/health' || method === 'plugin/ping'
  if (asks) routine.add(id)
  return asks
}

function bounded(lines: WireRow[]): WireRow[] {
  let room = keptCharacters
  let first = lines.length
  while (first > 0 && lines.length - first < keptLines && room > 0) {
    first -= 1
    room -= lines[first]?.message.length ?? 0
  }
  return lines.slice(first)
}
