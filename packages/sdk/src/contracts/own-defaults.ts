import type { z } from 'zod'
import { everySchema } from './check-definition.js'

/** Schemas whose defaults are copied already. */
const copied = new WeakSet<object>()

/**
 * Has a schema make a copy of its default values for each call. Zod copies no more than their outermost object: what one
 * call does to the rest would reach the next.
 */
export function ownDefaults(root: z.ZodType): void {
  for (const {
    _zod: { def },
  } of everySchema(root)) {
    if (copied.has(def)) continue
    copied.add(def)
    if (def.type === 'default' || def.type === 'prefault') {
      const { get, value } = Object.getOwnPropertyDescriptor(def, 'defaultValue') ?? {}
      Object.defineProperty(def, 'defaultValue', {
        get: () => copyOf(get ? get.call(def) : value),
        enumerable: true,
        configurable: true,
      })
    } else if (def.type === 'catch') {
      const { catchValue } = def
      def.catchValue = (context) => copyOf(catchValue(context))
    }
  }
}

/** Copies data; instances of classes are kept. */
function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf)
  if (typeof value !== 'object' || value === null) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copyOf(item)]))
  const isCopiable = [Uint8Array, Date, Map, Set].some((each) => prototype === each.prototype)
  return isCopiable ? structuredClone(value) : value
}
