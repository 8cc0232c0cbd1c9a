import type { Manifest } from './manifest.js'

/** The words of a manifest's `capabilities`; where that is an object, the keys that are not false or empty. */
export function claimsOf({ capabilities = [] }: Pick<Manifest, 'capabilities'>): readonly string[] {
  if (Array.isArray(capabilities)) return capabilities
  return Object.entries(capabilities).flatMap(([word, value]) => (value ? [word] : []))
}
