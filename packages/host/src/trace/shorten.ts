import { Bytes } from '@appfactory/sdk/internal'

/** How much of a message is kept, in bytes of JSON; what is begun before is ended. */
const maxMessageBytes = 48 * 1024

/** How much of a text is kept, in characters, and of a name. */
const maxText = 2000
const maxName = 200

/** What is deeper is left out. */
const maxDepth = 32

/** What there is still room for, in bytes of JSON. */
interface Room {
  left: number
}

/**
 * A copy of a message for a person to read: less than 64 KiB of JSON, however long the message is. Of a long text its beginning
 * and its length are kept, of bytes their number: `{ bytes: 32044 }`.
 */
export function shorten(message: unknown): unknown {
  return copy(message, { left: maxMessageBytes }, 0)
}

function copy(value: unknown, room: Room, depth: number): unknown {
  if (typeof value === 'string') return spend(cut(value, maxText), room)
  if (typeof value !== 'object' || value === null) return spend(isJson(value) ? value : undefined, room)
  if (value instanceof Bytes) return spend({ bytes: value.data.length }, room)
  if (ArrayBuffer.isView(value)) return spend({ bytes: value.byteLength }, room)
  if (depth === maxDepth) return spend('…', room)
  if ('toJSON' in value && typeof value.toJSON === 'function') return copy(value.toJSON(), room, depth + 1)
  room.left -= 4
  return Array.isArray(value) ? copyItems(value, room, depth + 1) : copyMembers(value, room, depth + 1)
}

function copyItems(items: readonly unknown[], room: Room, depth: number): unknown[] {
  const kept: unknown[] = []
  for (const item of items) {
    if (room.left <= 0) return [...kept, `… ${items.length - kept.length} more`]
    kept.push(copy(item, room, depth))
  }
  return kept
}

function copyMembers(value: object, room: Room, depth: number): Record<string, unknown> {
  const members = Object.entries(value)
  const kept: [string, unknown][] = []
  for (const [name, member] of members) {
    if (room.left <= 0) {
      kept.push(['…', `${members.length - kept.length} more`])
      break
    }
    kept.push([spend(cut(name, maxName), room), copy(member, room, depth)])
  }
  return Object.fromEntries(kept)
}

/** Takes the room that a value needs, with what stands around it. */
function spend<Value>(value: Value, room: Room): Value {
  room.left -= Buffer.byteLength(JSON.stringify(value) ?? '') + 4
  return value
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}… (${text.length} characters)`
}

function isJson(value: unknown): boolean {
  return value === null || typeof value === 'number' || typeof value === 'boolean'
}
