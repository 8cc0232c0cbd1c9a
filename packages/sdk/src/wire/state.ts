import { isUint8Array } from 'node:util/types'
import { Bytes, bytesOfBase64, plainBytes } from '../bytes.js'
import { describeThrown, PluginError } from '../errors.js'
import { parseJson } from './message.js'
import type { WireState } from './protocol.js'

/** JSON that is longer goes as bytes, which need not fit into one message, and let others by. In bytes. */
const longJson = 64 * 1024

type Path = readonly (string | number)[]

/**
 * What `captureState()` returned, as it goes on the wire: JSON, with the bytes in it apart.
 *
 * @throws PluginError HOTSWAP_FAILED where it holds anything but JSON values and bytes; RESOURCE_EXHAUSTED where it is
 *   longer than `maxBytes`.
 */
export function encodeState(state: unknown, maxBytes: number): WireState {
  const bytes: (WireState['bytes'][number] & { length: number })[] = []
  // Where `copy` is, from the outside in.
  const path: (string | number)[] = []
  const parents = new Set<object>()
  const json = copy(state ?? null)
  const text = Buffer.from(JSON.stringify(json))
  const size = bytes.reduce((sum, { length }) => sum + length, text.length)
  const apart = bytes.map(({ length: _length, ...rest }) => rest)
  if (size <= maxBytes)
    return text.length <= longJson
      ? { state: json, bytes: apart }
      : { state_b64: new Bytes(text), bytes: apart }
  throw new PluginError('RESOURCE_EXHAUSTED', `The state has ${size} bytes; the limit is ${maxBytes}`, {
    bytes: size,
    limit: maxBytes,
  })

  function copy(value: unknown): unknown {
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
    if (typeof value === 'number' && Number.isFinite(value)) return value
    if (typeof value !== 'object') throw notJson(value, path)
    if (isUint8Array(value)) {
      bytes.push({ path: [...path], data_b64: new Bytes(value), length: value.length })
      return null
    }
    if (!Array.isArray(value) && !isPlain(value)) throw notJson(value, path)
    if (parents.has(value)) throw notJson('a reference to what holds it', path)
    parents.add(value)
    const copied = Array.isArray(value) ? value.map((item, index) => copyAt(index, item)) : copyMembers(value)
    parents.delete(value)
    return copied
  }

  function copyMembers(value: object): Record<string, unknown> {
    const members = Object.entries(value).filter(([, member]) => member !== undefined)
    return Object.fromEntries(members.map(([key, member]) => [key, copyAt(key, member)]))
  }

  function copyAt(key: string | number, value: unknown): unknown {
    path.push(key)
    const copied = copy(value)
    path.pop()
    return copied
  }
}

/** The state as `restoreState()` gets it. */
export function decodeState({ state, state_b64: text, bytes }: WireState): unknown {
  const root = { state: text === undefined ? state : parseText(bytesOf(text)) }
  for (const { path, data_b64: data } of bytes) {
    const places: Path = ['state', ...path]
    const holder = places.slice(0, -1).reduce<unknown>(member, root)
    const key = places.at(-1)
    if (typeof holder !== 'object' || holder === null || key === undefined || !Object.hasOwn(holder, key)) {
      throw new PluginError('INVALID_PARAMS', `bytes: the state has no place ${path.join('.')}`)
    }
    Reflect.set(holder, key, bytesOf(data))
  }
  return root.state
}

function parseText(text: Uint8Array): unknown {
  try {
    return parseJson(Buffer.from(text).toString())
  } catch (error) {
    throw new PluginError('INVALID_PARAMS', `state_b64: ${describeThrown(error).message}`)
  }
}

function bytesOf(data: Bytes | string): Uint8Array {
  return data instanceof Bytes ? plainBytes(data.data) : bytesOfBase64(data)
}

function member(holder: unknown, key: string | number): unknown {
  if (typeof holder !== 'object' || holder === null) return undefined
  return Object.hasOwn(holder, key) ? Reflect.get(holder, key) : undefined
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  // That of another realm is none of ours, but has none above it either.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function notJson(value: unknown, path: Path): PluginError {
  const kind =
    typeof value === 'string' ? value : typeof value === 'object' ? value?.constructor?.name : String(value)
  const place = path.length === 0 ? 'what it returned' : path.join('.')
  return new PluginError(
    'HOTSWAP_FAILED',
    `captureState() must return JSON values and bytes, but ${place} is ${kind ?? typeof value}`,
    { path: path.join('.') },
  )
}
