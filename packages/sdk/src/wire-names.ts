/** `voiceId` → `voice_id`. */
export function toSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** `voice_id` → `voiceId`. */
export function toCamelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

/** Valid names of a contract's methods in TypeScript. */
export const methodNamePattern = /^[a-z][A-Za-z0-9]*$/

/** Names that a handle or a plugin has already. */
export const reservedNames: ReadonlySet<string> = new Set([
  'initialize',
  'shutdown',
  'healthCheck',
  'captureState',
  'restoreState',
  'manifest',
  'name',
  'version',
  'status',
  'contract',
  'constructor',
  'then',
  'health',
  'unload',
  'call',
  'stream',
])

/** Whether a contract may have a method of that name. */
export function isMethodName(name: string): boolean {
  return methodNamePattern.test(name) && !reservedNames.has(name)
}
