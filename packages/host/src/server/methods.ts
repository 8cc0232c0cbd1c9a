import { PluginError } from '@appfactory/sdk'
import { z } from 'zod'
import { fallbackGone } from '../fallback/errors.js'
import { maxReplicas } from '../numbers.js'
import { environmentKey } from '../plugins/environment.js'
import type { CallerFallbacks } from './caller-fallbacks.js'
import { type CallContext, callParams, callPlugin, invalidParams } from './calls.js'
import { fallbackOf, fallbackParams } from './fallback.js'
import {
  activeResult,
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
  /** Those that go with the client. */
  readonly fallbacks: Pick<CallerFallbacks, 'add'>
  /** Starts sending events to the client: all types, or the given ones. */
  subscribe(types: readonly string[] | undefined): void
  /** Ends the server once this call is answered and calls in flight have finished. */
  shutDown(timeoutMs: number): void
  /** Takes and sends raw bytes from now on, or once the client has brought them a connection. */
  openBytes(nonce: string): { token: string | null }
}

/** One method of the server: its params, its result and its work. */
export interface ServerMethod<Context extends ServerContext = ServerContext> {
  description: string
  params: z.ZodObject
  result: z.ZodType
  run(params: never, context: Context): unknown
}

const replicaCount = z.int().min(1).max(maxReplicas)

const configuration = z.record(z.string(), z.unknown()).optional()

/** Names of nodes, in front of a cluster. */
const nodeNames = z.array(z.string()).min(1).optional()

/** Or what any node must have: `{ "gpu": "true" }`. */
const nodesOrLabels = z.union([z.array(z.string()).min(1), z.record(z.string(), z.string())]).optional()

/** `node` is of clusters only. */
export const eventTypes = ['status', 'crash', 'restart', 'swap', 'fallback', 'log', 'node'] as const

/** The methods of `appfactory-host` on stdio, besides `<contract>/<method>`. */
export const serverMethods: Record<string, ServerMethod> = {
  ping: method('Answers "pong".', z.strictObject({}), z.literal('pong'), () => 'pong' as const),
  status: method('Reports figures of the host.', z.strictObject({}), statusResult, (_, { served }) =>
    wireStatus(served.system),
  ),
  'system/status': method('Reports figures of the host.', z.strictObject({}), statusResult, (_, { served }) =>
    wireStatus(served.system),
  ),
  'system/discover': method(
    'Scans the plugins folders, or `paths`.',
    z.strictObject({ paths: z.array(z.string()).optional() }),
    discoverResult,
    async ({ paths }, { served }) => {
      const discover = able('system/discover', served.changes.discover)
      const { plugins, ...counts } = await discover(paths)
      return { ...counts, plugins: plugins.map(wireDiscovered) }
    },
  ),
  'plugin/list': method(
    'Lists the plugins.',
    z.strictObject({ include_invalid: z.boolean().optional() }),
    z.array(pluginResult),
    async ({ include_invalid: includeInvalid = false }, { served }) =>
      (await served.system.list({ includeInvalid })).map(wireSummary),
  ),
  'plugin/active': method(
    'Names the plugin that answers for each contract.',
    z.strictObject({}),
    activeResult,
    async (_, { served: { system } }) => {
      const contracts = new Set((await system.list()).map(({ contract }) => contract ?? ''))
      return Object.fromEntries(
        [...contracts].flatMap((contract) => {
          const name = system.active(contract)
          return name === undefined ? [] : [[contract, name]]
        }),
      )
    },
  ),
  'plugin/describe': method(
    'Returns a plugin’s manifest, and its methods with the schemas of arguments and results.',
    z.strictObject({ name: z.string(), descriptor: z.boolean().optional() }),
    describeResult,
    async ({ name, descriptor = false }, { served, call }) => {
      const { described, contract } = await wireDescription(served.system, name, call.signal)
      if (!descriptor) return described
      const { capabilities } = await served.summary(described.manifest?.name ?? name)
      return { ...described, descriptor: contract, capabilities }
    },
  ),
  'plugin/load': method(
    'Starts a plugin.',
    z.strictObject({
      name: z.string(),
      config: configuration,
      replicas: replicaCount.optional(),
      on: nodesOrLabels,
    }),
    loadResult,
    async ({ name, config, replicas, on }, { served, call }) => {
      refuseGrants('plugin/load', config)
      await able('plugin/load', served.changes.load)(name, { config, replicas, on, signal: call.signal })
      return { success: true as const, plugin: wireSummary(await served.summary(name)) }
    },
  ),
  'plugin/scale': method(
    'Changes how many processes of a plugin share its calls.',
    z.strictObject({ name: z.string(), replicas: replicaCount, on: nodeNames }),
    loadResult,
    async ({ name, replicas, on }, { served }) => {
      const serving = await able('plugin/scale', served.changes.scale)(name, replicas, { on })
      return { success: true as const, plugin: wireSummary(await served.summary(serving)) }
    },
  ),
  'plugin/fallback': method(
    'Makes a name stand for several plugins of one contract, in order.',
    fallbackParams,
    loadResult,
    async ({ name, plugins, while_connected: isOfCaller = false, ...options }, { served, fallbacks }) => {
      const given = fallbackOf('plugin/fallback', name, plugins, options)
      const made = await able('plugin/fallback', served.changes.fallback)(given)
      if (isOfCaller) fallbacks.add(name, made)
      const shown = (await served.system.list()).find((each) => each.name === name)
      if (!shown) throw fallbackGone(name)
      return { success: true as const, plugin: wireSummary(shown) }
    },
  ),
  'plugin/unload': method(
    'Stops a plugin.',
    z.strictObject({ name: z.string(), force: z.boolean().optional(), on: nodeNames }),
    unloadResult,
    async ({ name, force = false, on }, { served }) => {
      await able('plugin/unload', served.changes.unload)(name, { force, on })
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
      on: nodeNames,
    }),
    swapResult,
    async (params, { served }) => {
      const old = onlyOne('plugin/swap', params, ['old', 'old_plugin'])
      const replacement = onlyOne('plugin/swap', params, ['new', 'new_plugin', 'new_plugin_path'])
      refuseGrants('plugin/swap', params.config)
      const byPath = params.new_plugin_path === undefined ? { name: replacement } : { path: replacement }
      const { config, preserve_state: preserveState, on } = params
      const swap = able('plugin/swap', served.changes.swap)
      return wireSwap(await swap(old, byPath, { config, preserveState, on }))
    },
  ),
  'plugin/health': method(
    'Reports the health of one plugin, or of all loaded ones by name.',
    z.strictObject({ name: z.string().optional() }),
    z.union([healthResult, z.record(z.string(), healthResult)]),
    async ({ name }, { served: { system } }) => {
      if (name !== undefined) return wireHealth(await system.health(name))
      return Object.fromEntries(
        Object.entries(await system.health()).map(([plugin, health]) => [plugin, wireHealth(health)]),
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

/**
 * What does a method.
 *
 * @throws PluginError METHOD_NOT_FOUND where the system can't do it.
 */
export function able<Change extends object>(method: string, change: Change | undefined): Change {
  if (change) return change
  throw new PluginError(
    'METHOD_NOT_FOUND',
    `A cluster does not take "${method}", which is for a single host. Send it to the host of a node`,
  )
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
export function method<Params extends z.ZodObject, Result, Context extends ServerContext = ServerContext>(
  description: string,
  params: Params,
  result: z.ZodType<Result>,
  run: (params: z.output<Params>, context: Context) => Result | Promise<Result>,
): ServerMethod<Context> {
  return { description, params, result, run }
}
