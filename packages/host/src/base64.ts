import { Bytes, holdsBytes } from '@appfactory/sdk/internal'

/** Puts bytes that came beside a result into it as base64. The result is changed, not copied. */
export function withBase64(result: unknown): unknown {
  return holdsBytes(result) ? encodeBytes(result) : result
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
  return typeof value === 'object' && value !== null
}
