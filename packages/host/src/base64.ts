import { Bytes, holdsBytes } from '@appfactory/sdk/internal'
import type { WireArgs } from './options.js'

/** Puts bytes that came beside a result into it as base64. The result is changed, not copied. */
export function withBase64(result: unknown): unknown {
  return holdsBytes(result) ? encodeBytes(result) : result
}

/** The same for a result that was converted: of what its schema knows, the bytes are decoded, and stay as they are. */
export function withBase64InOpen(converted: unknown, result: unknown): unknown {
  return holdsBytes(result) ? encodeBytes(converted) : converted
}

/** Lets bytes of arguments go beside their message, where JSON would write each of them as a number. */
export function withBytes(args: WireArgs): WireArgs {
  let copy: WireArgs | undefined
  for (const name in args) {
    const value = args[name]
    if (!(value instanceof Uint8Array)) continue
    copy ??= { ...args }
    copy[name] = new Bytes(value)
  }
  return copy ?? args
}

function encodeBytes(value: unknown): unknown {
  if (value instanceof Bytes) return value.toJSON()
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++)
      if (mayHoldBytes(value[index])) value[index] = encodeBytes(value[index])
  } else if (mayHoldBytes(value)) {
    const members = value as Record<string, unknown>
    for (const key of Object.keys(members))
      if (mayHoldBytes(members[key])) members[key] = encodeBytes(members[key])
  }
  return value
}

function mayHoldBytes(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)
}
