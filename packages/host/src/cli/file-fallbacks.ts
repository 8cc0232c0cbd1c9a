import { nameValue } from '@appfactory/sdk/internal'
import { type FallbackGiven, fallbackGivenOf } from '../fallback/options.js'

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The fallbacks of a file: an array of plugins by name, or an object with options beside `plugins`.
 *
 * @throws TypeError that names the key.
 */
export function fallbacksIn(value: unknown): FallbackGiven[] {
  if (!isObject(value))
    throw new TypeError(`fallbacks takes an object of arrays of plugins by name, not ${nameValue(value)}`)
  return Object.entries(value).map(([name, given]) => fallbackIn(name, given))
}

function fallbackIn(name: string, given: unknown): FallbackGiven {
  const { plugins, ...options } = isObject(given) ? given : { plugins: given }
  // JSON has no Infinity.
  const entries = Object.entries(options).map(([key, value]) => [
    key,
    value === 'Infinity' ? Number.POSITIVE_INFINITY : value,
  ])
  const asked = { name, plugins, options: Object.fromEntries(entries) }
  return fallbackGivenOf(asked, `fallbacks.${name.slice(0, 100)}: `)
}
