import { callForbidden } from '../errors.js'
import { serverMethods } from './methods.js'

/** What a caller may do: call plugins and look at them, or all, which includes loading, unloading and ending the host. */
export type Rights = 'call' | 'all'

/** What everybody may call, beside `<contract>/<method>`. All other methods of the server, later ones too, need all rights. */
export const openMethods: readonly string[] = [
  'ping',
  'status',
  'system/status',
  'plugin/list',
  'plugin/describe',
  'plugin/health',
  'plugin/call',
  'events/subscribe',
  'bytes/open',
]

/** @throws PluginError CALL_FORBIDDEN */
export function checkRights(rights: Rights, method: string): void {
  const isManaging = Object.hasOwn(serverMethods, method) && !openMethods.includes(method)
  if (rights === 'call' && isManaging) throw callForbidden(method, openMethods)
}
