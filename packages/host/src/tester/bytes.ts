import { Bytes } from '@appfactory/sdk/internal'

/**
 * Converts base64 arguments to bytes that travel beside their message: inside it, they would exceed the longest message of 8 MiB.
 * Invalid base64 stays unchanged, and the plugin reports it.
 */
export function withRawBytes(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, convert(name, each)]))
}

function convert(name: string, value: unknown): unknown {
  if (typeof value === 'string') return (name.endsWith('_b64') ? bytesOf(value) : undefined) ?? value
  if (Array.isArray(value)) return value.map((item) => convert('', item))
  return typeof value === 'object' && value !== null ? withRawBytes({ ...value }) : value
}

function bytesOf(text: string): Bytes | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? new Bytes(bytes) : undefined
}
