import { Bytes } from '@appfactory/sdk/wire'

/**
 * Arguments whose bytes travel beside their message, as those of a program do: inside it, as base64, they would come up
 * against the longest message of 8 MiB. What is no base64 stays as it is, and the plugin says so.
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
