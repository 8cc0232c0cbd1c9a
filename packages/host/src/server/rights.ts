import { callForbidden } from '../errors.js'
import { serverMethods } from './methods.js'

/**
 * What a caller may do: call plugins and look at them, or all, which includes loading, unloading and ending the host. With a
 * name: call that plugin and look at it, and nothing else.
 */
export type Rights = 'call' | 'all' | { readonly plugin: string }

/** What everybody may call, beside `<contract>/<method>`. All other methods of the server, later ones too, need all rights. */
export const openMethods: readonly string[] = [
  'ping',
  'status',
  'system/status',
  'plugin/list',
  'plugin/active',
  'plugin/describe',
  'plugin/health',
  'plugin/call',
  'events/subscribe',
  'bytes/open',
]

/** What those may call who have one plugin, each with the parameter that names it. */
const methodsOfOne: Readonly<Record<string, string | undefined>> = {
  ping: undefined,
  'plugin/describe': 'name',
  'plugin/health': 'name',
  'plugin/call': 'plugin',
  'bytes/open': undefined,
}

/** @throws PluginError CALL_FORBIDDEN */
export function checkRights(rights: Rights, { method, params }: { method: string; params?: unknown }): void {
  if (typeof rights === 'object') checkRightsOfOne(rights.plugin, method, params)
  else if (rights === 'call' && Object.hasOwn(serverMethods, method) && !openMethods.includes(method))
    throw callForbidden(method, [...openMethods, '<contract>/<method>'])
}

function checkRightsOfOne(plugin: string, method: string, params: unknown): void {
  if (!Object.hasOwn(methodsOfOne, method)) throw callForbidden(method, Object.keys(methodsOfOne))
  const key = methodsOfOne[method]
  if (key === undefined) return
  const named: unknown = Reflect.get(Object(params), key)
  if (named !== plugin) throw callForbidden(`${method} of ${String(named)}`, [`${method} of ${plugin}`])
}
