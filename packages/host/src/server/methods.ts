import { resolve } from 'node:path'
import { z } from 'zod'
import { fallbackGone } from '../fallback/errors.js'
import type { PluginHost } from '../host.js'
import { maxReplicas } from '../numbers.js'
import { environmentKey } from '../plugins/environment.js'
import { type CallContext, callParams, callPlugin, invalidParams } from './calls.js'
import { fallbackOf, fallbackParams } from './fallback.js'
import {
  describeResult,
  discoverResult,
  healthResult,
  loadResult,
  openBytesResult,
  pluginResult,
  shutdownResult,
  statusResult,
  swapResult,
  unloadResult,
} from './results.js'
import {
  wireDescription,
  wireDiscovered,
  wireHealth,
  wireStatus,
  wireSummary,
  wireSwap,
} from './wire-form.js'

/** The context of a method of the server. */
export interface ServerContext extends CallContext {
  host: PluginHost
  /** Starts sending events to the client: all types, or the given ones. */
  subscribe(types: readonly string[] | undefined): void
  /** Ends the server once this call is answered and calls in flight have finished. */
  shutDown(timeoutMs: number): void
  /** Takes and sends raw bytes from now on, or once the client has brought them a connection. */
  openBytes(nonce: string): { token: string | null }
}

/** One method of the server: its params, its result and its work. */
export interface ServerMethod {
  description: string
  params: z.ZodObject
  result: z.ZodType
  run(params: never, context: ServerContext): unknown
}

const replicaCount = z.int().min(1).max(maxReplicas)

const configuration = z.record(z.string(), z.unknown()).optional()

export const eventTypes = ['status', 'crash', 'restart', 'swap', 'fallback', 'log'] as const

/** The methods of `appfactory-host` on stdio, besides `<contract>/<method>`. */
export const serverMethods: Record<string, ServerMethod> = {
  ping: method('Answers "pong".', z.strictObject({}), z.literal('pong'), () => 'pong' as const),
  status: method('Reports figures of the host.', z.strictObject({}), statusResult, (_, { host }) =>
    wireStatus(host),
  ),
  'system/status': method('Reports figures of the host.', z.strictObject({}), statusResult, (_, { host }) =>
    wireStatus(host),
  ),
  'system/discover': method(
    'Scans the plugins folders, or `paths`.',
    z.strictObject({ paths: z.array(z.string()).optional() }),
    discoverResult,
    async ({ paths }, { host }) => {
      const { plugins, ...counts } = await host.discover(paths)
      return { ...counts, plugins: plugins.map(wireDiscovered) }
    },
  ),
  'plugin/list': method(
    'Lists the plugins.',
    z.strictObject({ include_invalid: z.boolean().optional() }),
    z.array(pluginResult),
    async ({ include_invalid: includeInvalid = false }, { host }) =>
      (await host.list({ includeInvalid })).map(wireSummary),
  ),
  'plugin/describe': method(
    'Returns a plugin’s manifest, and its methods with the schemas of arguments and results.',
    z.strictObject({ name: z.string(), descriptor: z.boolean().optional() }),
    describeResult,
    async ({ name, descriptor = false }, { host, internals, call }) => {
      const { described, contract } = await wireDescription(host, name, call.signal)
      if (!descriptor) return described
      const { capabilities } = await internals.catalogue.summary(described.manifest?.name ?? name)
      return { ...described, descriptor: contract, capabilities }
    },
  ),
  'plugin/load': method(
    'Starts a plugin.',
    z.strictObject({ name: z.string(), config: configuration, replicas: replicaCount.optional() }),
    loadResult,
    async ({ name, config, replicas }, { host, internals, call }) => {
      refuseGrants('plugin/load', config)
      await host.load(name, { config, replicas, signal: call.signal })
      return { success: true as const, plugin: wireSummary(await internals.catalogue.summary(name)) }
    },
  ),
  'plugin/scale': method(
    'Changes how many processes of a plugin share its calls.',
    z.strictObject({ name: z.string(), replicas: replicaCount }),
    loadResult,
    async ({ name, replicas }, { host, internals }) => {
      await host.scale(name, replicas)
      const { name: serving } = await internals.catalogue.slot(name)
      return { success: true as const, plugin: wireSummary(await internals.catalogue.summary(serving)) }
    },
  ),
  'plugin/fallback': method(
    'Makes a name stand for several plugins of one contract, in order.',
    fallbackParams,
    loadResult,
    async ({ name, plugins, ...options }, { host }) => {
      const given = fallbackOf('plugin/fallback', name, plugins, options)
      await host.fallback(given.name, given.plugins, given.settings)
      const made = (await host.list()).find((each) => each.name === name)
      if (!made) throw fallbackGone(name)
      return { success: true as const, plugin: wireSummary(made) }
    },
  ),
  'plugin/unload': method(
    'Stops a plugin.',
    z.strictObject({ name: z.string(), force: z.boolean().optional() }),
    unloadResult,
    async ({ name, force = false }, { host }) => {
      await host.unload(name, { force })
      return { success: true as const, plugin: name }
    },
  ),
  'plugin/call': method(
    'Calls a method of a plugin by its wire name.',
    callParams,
    z.unknown(),
    (params, context) => callPlugin(context, params),
  ),
  'plugin/swap': method(
    'Replaces a loaded plugin by another one while calls go on.',
    z.strictObject({
      old: z.string().optional(),
      old_plugin: z.string().optional(),
      new: z.string().optional(),
      new_plugin: z.string().optional(),
      new_plugin_path: z.string().optional(),
      config: configuration,
      preserve_state: z.boolean().optional(),
    }),
    swapResult,
    async (params, { host }) => {
      const old = onlyOne('plugin/swap', params, ['old', 'old_plugin'])
      const replacement = onlyOne('plugin/swap', params, ['new', 'new_plugin', 'new_plugin_path'])
      refuseGrants('plugin/swap', params.config)
      const byPath = params.new_plugin_path === undefined ? replacement : resolve(replacement)
      const { config, preserve_state: preserveState } = params
      return wireSwap(await host.swap(old, byPath, { config, preserveState }))
    },
  ),
  'plugin/health': method(
    'Reports the health of one plugin, or of all loaded ones by name.',
    z.strictObject({ name: z.string().optional() }),
    z.union([healthResult, z.record(z.string(), healthResult)]),
    async ({ name }, { host }) => {
      if (name !== undefined) return wireHealth(await host.health(name))
      return Object.fromEntries(
        Object.entries(await host.health()).map(([plugin, health]) => [plugin, wireHealth(health)]),
      )
    },
  ),
  'events/subscribe': method(
    'Starts sending `event` notifications.',
    z.strictObject({ types: z.array(z.enum(eventTypes)).optional() }),
    z.literal(true),
    ({ types }, { subscribe }) => {
      subscribe(types)
      return true as const
    },
  ),
  'bytes/open': method(
    'Lets bytes travel raw beside the messages of this connection.',
    z.strictObject({ nonce: z.string().min(16).max(64) }),
    openBytesResult,
    ({ nonce }, { openBytes }) => openBytes(nonce),
  ),
  shutdown: method(
    'Ends the host.',
    z.strictObject({ reason: z.string().optional(), timeout: z.number().nonnegative().optional() }),
    shutdownResult,
    ({ reason = 'requested', timeout = 10_000 }, { shutDown }) => {
      shutDown(timeout)
      return { status: 'shutting_down' as const, reason, timestamp: new Date().toISOString() }
    },
  ),
}

/** Several names of one parameter: one of them must be there. */
function onlyOne(method: string, params: Record<string, unknown>, names: readonly string[]): string {
  const [first, second] = names.filter((name) => params[name] !== undefined)
  if (first === undefined || second !== undefined)
    throw invalidParams(
      method,
      `${names.join(' or ')}: ${second === undefined ? 'is required' : 'give only one'}`,
    )
  return String(params[first])
}

/** Only the operator decides which environment variables a plugin sees, not clients. */
export function refuseGrants(method: string, config: Record<string, unknown> | undefined): void {
  if (config && Object.hasOwn(config, environmentKey))
    throw invalidParams(
      method,
      `config.${environmentKey}: only the configuration file of the plugin can grant it`,
    )
}

/** An entry of a table of methods. */
export function method<Params extends z.ZodObject, Result>(
  description: string,
  params: Params,
  result: z.ZodType<Result>,
  run: (params: z.output<Params>, context: ServerContext) => Result | Promise<Result>,
): ServerMethod {
  return { description, params, result, run }
}
