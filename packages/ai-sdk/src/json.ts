import type { JsonObject, Metadata } from './parts.js'

/** What a plugin says of its answer, as JSON: what JSON has no form for is left out. */
export function toJson(value: object): JsonObject {
  const copy: JsonObject = JSON.parse(JSON.stringify(value))
  return copy
}

/** `providerMetadata` where there is any. */
export function metadataOf(value: Record<string, unknown>): Metadata {
  const appfactory = toJson(value)
  return Object.keys(appfactory).length > 0 ? { providerMetadata: { appfactory } } : {}
}
