import { signal } from '@preact/signals'
import type { LogLine, WireBatch } from '../api/types.js'

/** More are of no use to a person. */
const keptLines = 5000
const keptCharacters = 20_000_000

/** The messages of the plugin that is watched, as lines of a log: the level is the direction. */
export const wireLines = signal<readonly LogLine[]>([])
/** Whose messages those are. */
export const watched = signal<string | undefined>(undefined)
/** Whether messages come: the host makes nothing of them otherwise. */
export const isWatching = signal(false)
/** Messages that came too fast to be sent. */
export const droppedMessages = signal(0)

let source: EventSource | undefined
let seq = 0

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
  droppedMessages.value = 0
}

function take({ lines, dropped }: WireBatch): void {
  const fresh = lines.map(({ time, plugin, direction, message }) => ({
    seq: ++seq,
    at: Date.parse(time),
    plugin,
    level: direction === 'to plugin' ? 'sent' : 'received',
    message: JSON.stringify(message),
  }))
  wireLines.value = bounded([...wireLines.value, ...fresh])
  droppedMessages.value += dropped
}

function bounded(lines: LogLine[]): LogLine[] {
  let room = keptCharacters
  let first = lines.length
  while (first > 0 && lines.length - first < keptLines && room > 0) {
    first -= 1
    room -= lines[first]?.message.length ?? 0
  }
  return lines.slice(first)
}
