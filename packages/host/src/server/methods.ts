import { resolve } from 'node:path'
import { type HealthStatus, type JsonSchema, PluginError } from '@appfactory/sdk'
import {
  creditOf,
  firstIssues,
  type IncomingCall,
  isInputMarker,
  issuesText,
  listed,
  type OutgoingStream,
  quoted,
  shortened,
  toSnakeCase,
  type WireHealthStatus,
} from '@appfactory/sdk/wire'
import { z } from 'zod'
import type { PluginHost } from '../host.js'
import { environmentKey } from '../plugins/environment.js'
import type { SwapResult } from '../slot/swap.js'
import type { PluginSummary } from '../summary.js'
import { within } from '../waiting.js'

/** What a method of the server works with. */
export interface ServerContext {
  host: PluginHost
  call: IncomingCall
  /** Tells the client about events from now on; all types, or those named. */
  subscribe(types: readonly string[] | undefined): void
  /** Ends the server once this call is answered and what is in flight is finished. */
  shutDown(timeoutMs: number): void
}

/** One method of the server: what it takes, and what it does. */
export interface ServerMethod {
  description: string
  params: z.ZodType<Record<string, unknown>>
  run(params: never, context: ServerContext): unknown
}

const streamOption = z.union([z.boolean(), z.strictObject({ credit: z.int().min(1) })]).optional()

const args = z.record(z.string(), z.unknown()).optional()

export const eventTypes = ['status', 'crash', 'restart', 'swap', 'log'] as const

/** The methods of `appfactory-host` on stdio. `<contract>/<method>` comes beside them. */
export const serverMethods: Record<string, ServerMethod> = {
  ping: method('Answers "pong".', z.strictObject({}), () => 'pong'),
  status: method('Figures of the host.', z.strictObject({}), (_, { host }) => hostStatus(host)),
  'system/status': method('Figures of the host.', z.strictObject({}), (_, { host }) => hostStatus(host)),
  'system/discover': method(
    'Looks through the plugins folders, or through `paths`.',
    z.strictObject({ paths: z.array(z.string()).optional() }),
    async ({ paths }, { host }) => {
      const { plugins, ...counts } = await host.discover(paths)
      return {
        ...counts,
        plugins: plugins.map(({ name, dir, valid, errors, warnings, manifest }) => ({
          name,
          path: dir,
          valid,
          errors,
          warnings,
          manifest: manifest ?? null,
        })),
      }
    },
  ),
  'plugin/list': method(
    'Lists the plugins that are there.',
    z.strictObject({ include_invalid: z.boolean().optional() }),
    async ({ include_invalid: includeInvalid = false }, { host }) =>
      (await host.list({ includeInvalid })).map(wireSummary),
  ),
  'plugin/describe': method(
    'A plugin’s manifest, and its methods with the schemas of arguments and results.',
    z.strictObject({ name: z.string() }),
    async ({ name }, { host, call }) => describe(host, name, call.signal),
  ),
  'plugin/load': method(
    'Starts a plugin.',
    z.strictObject({ name: z.string(), config: args }),
    async ({ name, config }, { host, call }) => {
      refuseGrants('plugin/load', config)
      await host.load(name, config, { signal: call.signal })
      return { success: true, plugin: wireSummary(await host.summary(name)) }
    },
  ),
  'plugin/unload': method(
    'Stops a plugin.',
    z.strictObject({ name: z.string(), force: z.boolean().optional() }),
    async ({ name, force = false }, { host }) => {
      await host.unload(name, { force })
      return { success: true, plugin: name }
    },
  ),
  'plugin/call': method(
    'Calls a method of a plugin by its wire name.',
    z.strictObject({
      plugin: z.string(),
      method: z.string(),
      args,
      timeout: z.number().positive().optional(),
      retry: z.int().nonnegative().optional(),
      stream: streamOption,
    }),
    (params, context) => callPlugin(context, params),
  ),
  'plugin/swap': method(
    'Puts another plugin in the place of a loaded one while calls go on.',
    z.strictObject({
      old: z.string().optional(),
      old_plugin: z.string().optional(),
      new: z.string().optional(),
      new_plugin: z.string().optional(),
      new_plugin_path: z.string().optional(),
      config: args,
      preserve_state: z.boolean().optional(),
    }),
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
    'How a plugin is doing, or all loaded ones by name.',
    z.strictObject({ name: z.string().optional() }),
    async ({ name }, { host }) => {
      if (name !== undefined) return wireHealth(await host.health(name))
      return Object.fromEntries(
        Object.entries(await host.health()).map(([plugin, health]) => [plugin, wireHealth(health)]),
      )
    },
  ),
  'events/subscribe': method(
    'Sends `event` notifications from now on.',
    z.strictObject({ types: z.array(z.enum(eventTypes)).optional() }),
    ({ types }, { subscribe }) => {
      subscribe(types)
      return true
    },
  ),
  shutdown: method(
    'Ends the host.',
    z.strictObject({ reason: z.string().optional(), timeout: z.number().nonnegative().optional() }),
    ({ reason = 'requested', timeout = 10_000 }, { shutDown }) => {
      shutDown(timeout)
      return { status: 'shutting_down', reason, timestamp: new Date().toISOString() }
    },
  ),
}

/** Runs a request of a client. Throws PluginErrors. */
export function runServerMethod(context: ServerContext): unknown {
  const { method: name, params = {} } = context.call
  if (name === 'plugin/call' && isPlainCall(params)) return callPlugin(context, params)
  const known = Object.hasOwn(serverMethods, name) ? serverMethods[name] : undefined
  if (!known) return callContract(context, name, params)
  return runMethod(known, context)
}

/** Checks the parameters and runs one method. */
export async function runMethod(known: ServerMethod, context: ServerContext): Promise<unknown> {
  const { method: name, params = {} } = context.call
  if (Array.isArray(params)) throw byName(name)
  const parsed = known.params.safeParse(params)
  if (!parsed.success) {
    const issues = firstIssues(
      parsed.error.issues.map(({ path, message }) => ({
        path: shortened(path.map(String).join('.')),
        message: shortened(message),
      })),
    )
    throw invalidParams(name, issuesText(issues), issues)
  }
  return known.run(parsed.data as never, context)
}

interface PlainCall {
  plugin: string
  method: string
  args?: Record<string, unknown>
}

/** What nearly all `plugin/call` look like. Zod checks the others, and says what is wrong with them. */
function isPlainCall(params: object): params is PlainCall {
  const { plugin, method: name, args: given = {} } = params as Partial<PlainCall>
  const isObject = typeof given === 'object' && given !== null && !Array.isArray(given)
  const known = ['plugin', 'method', 'args']
  return (
    typeof plugin === 'string' &&
    typeof name === 'string' &&
    isObject &&
    Object.keys(params).every((key) => known.includes(key))
  )
}

/** `tts/synthesize`: goes to the active plugin of the contract. `stream` stands beside the arguments. */
function callContract(
  context: ServerContext,
  name: string,
  params: Record<string, unknown> | unknown[],
): Promise<unknown> {
  const [contract = '', wireName = '', ...rest] = name.split('/')
  const isName = wireName !== '' && rest.length === 0
  // At once, where it is of a session: those are made in the order in which they came, by whatever method.
  const active = isName && 'session_id' in params ? context.host.active(contract) : undefined
  return active === undefined || Array.isArray(params)
    ? callContractLater(context, name, isName ? { contract, wireName } : undefined, params)
    : callActive(context, name, active, wireName, params)
}

async function callContractLater(
  context: ServerContext,
  name: string,
  called: { contract: string; wireName: string } | undefined,
  params: Record<string, unknown> | unknown[],
): Promise<unknown> {
  if (!called || !(await context.host.knowsContract(called.contract)))
    throw await methodNotFound(context, name)
  if (Array.isArray(params)) throw byName(name)
  const plugin = await within(context.host.requireActive(called.contract), { cancellation: context.call })
  return callActive(context, name, plugin, called.wireName, params)
}

function callActive(
  context: ServerContext,
  name: string,
  plugin: string,
  method: string,
  { stream, ...given }: Record<string, unknown>,
): Promise<unknown> {
  const parsed = streamOption.safeParse(stream)
  if (!parsed.success) throw invalidParams(name, 'stream: must be true or {"credit": n}')
  return callPlugin(context, { plugin, method, args: given, stream: parsed.data })
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

/** What a plugin's process may see of the environment is for who runs the host to say, not for its clients. */
export function refuseGrants(method: string, config: Record<string, unknown> | undefined): void {
  if (config && Object.hasOwn(config, environmentKey))
    throw invalidParams(
      method,
      `config.${environmentKey}: only the configuration file of the plugin can grant it`,
    )
}

function wireSwap(result: SwapResult): Record<string, unknown> {
  return {
    success: true,
    old_plugin: result.oldPlugin,
    new_plugin: result.newPlugin,
    old_version: result.oldVersion,
    new_version: result.newVersion,
    state_preserved: result.statePreserved,
    rollback_performed: false,
    swap_duration_ms: result.durationMs,
    held_calls: result.heldCalls,
    errors: [],
  }
}

interface PluginCall {
  plugin: string
  method: string
  args?: Record<string, unknown> | undefined
  stream?: boolean | { credit: number } | undefined
  /** In ms. */
  timeout?: number | undefined
  retry?: number | undefined
}

function callPlugin(
  { host, call }: ServerContext,
  { plugin, method: name, args: given = {}, stream, timeout: timeoutMs, retry }: PluginCall,
): Promise<unknown> {
  // An argument may follow piece by piece, as `$/input` notifications.
  const streamed = Object.keys(given).find((key) => isInputMarker(given[key]))
  const input = streamed === undefined ? undefined : { name: streamed, items: call.input }
  const options = { timeoutMs, retry, cancellation: call, input, keepBytes: true }
  if (!stream) return host.call(plugin, name, given, options)
  const credit = stream === true ? undefined : creditOf(stream.credit)
  const outgoing = call.openStream(credit ?? Number.POSITIVE_INFINITY)
  return sendPieces(host.stream(plugin, name, given, { ...options, credit }), outgoing)
}

async function sendPieces(
  pieces: AsyncIterable<unknown>,
  outgoing: OutgoingStream,
): Promise<{ pieces: number }> {
  for await (const piece of pieces) await outgoing.send(piece)
  return { pieces: outgoing.count }
}

async function describe(host: PluginHost, name: string, signal: AbortSignal): Promise<unknown> {
  const { plugin, contract } = await host.describe(name, { signal })
  const methods = contract.methods.map(
    ({ wire, description, kind, required, idempotent, input, args: schema, result, piece }) => ({
      name: wire,
      description,
      kind,
      required,
      idempotent,
      input: wireInput(input, schema),
      args: schema,
      result,
      piece,
    }),
  )
  return {
    manifest: plugin.manifest,
    contract: { name: contract.name, version: contract.version, description: contract.description },
    methods,
  }
}

/** The wire name of the argument that may follow piece by piece. */
function wireInput(input: string | null, { properties }: JsonSchema): string | null {
  if (input === null) return null
  const name = toSnakeCase(input)
  return Object.hasOwn(properties ?? {}, `${name}_b64`) ? `${name}_b64` : name
}

function hostStatus(host: PluginHost): Record<string, unknown> {
  const { version, uptimeSeconds, pluginsLoaded, pluginsTotal, requestsProcessed, errors, memoryMb } =
    host.status()
  return {
    version,
    uptime_seconds: uptimeSeconds,
    plugins_loaded: pluginsLoaded,
    plugins_total: pluginsTotal,
    requests_processed: requestsProcessed,
    errors,
    memory_mb: memoryMb,
  }
}

export function wireSummary({ displayName, ...rest }: PluginSummary): Record<string, unknown> {
  return { ...rest, display_name: displayName }
}

export function wireHealth({
  status,
  message = '',
  details = {},
  latencyMs,
  memoryMb,
}: HealthStatus): WireHealthStatus {
  return { status, message, details, latency_ms: latencyMs ?? null, memory_mb: memoryMb ?? null }
}

async function methodNotFound({ host }: ServerContext, name: string): Promise<PluginError> {
  const known = Object.keys(serverMethods).join(', ')
  const contracts = [...new Set((await host.list().catch(() => [])).map(({ contract }) => `${contract}/…`))]
  return new PluginError(
    'METHOD_NOT_FOUND',
    `There is no method ${quoted(name)}; there is ${[known, listed(contracts)].filter(Boolean).join(', ')}`,
  )
}

function byName(name: string): PluginError {
  return invalidParams(name, 'params must be an object, by name')
}

function invalidParams(
  name: string,
  reason: string,
  issues?: readonly { path: string; message: string }[],
): PluginError {
  return new PluginError('INVALID_PARAMS', `${shortened(name)}: ${reason}`, issues ? { issues } : undefined)
}

/** An entry of a table of methods. */
export function method<Params extends Record<string, unknown>>(
  description: string,
  params: z.ZodType<Params>,
  run: (params: Params, context: ServerContext) => unknown,
): ServerMethod {
  return { description, params, run }
}
