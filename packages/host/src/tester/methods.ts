import { errorTable, PluginError } from '@appfactory/sdk'
import { type IncomingCall, quoted } from '@appfactory/sdk/internal'
import { namePattern } from '@appfactory/sdk/manifest'
import { z } from 'zod'
import { callParams } from '../server/calls.js'
import {
  able,
  method,
  refuseGrants,
  type ServerContext,
  type ServerMethod,
  serverMethods,
} from '../server/methods.js'
import { runMethod } from '../server/run.js'
import { withRawBytes } from './bytes.js'
import { runPluginChecks } from './checks.js'
import { runLoad } from './load.js'

/** The server's methods that neither take a path nor end the host. */
const shared = ['status', 'plugin/list', 'plugin/describe', 'plugin/load', 'plugin/unload', 'plugin/health']

const errorsResult = z.array(
  z.strictObject({ code: z.number(), name: z.string(), description: z.string(), advice: z.string() }),
)

const pluginName = z.string().regex(namePattern)

/** What a page calls one of its calls, hard to guess. */
const callKey = z.string().min(16).max(64)

const keyedParams = callParams.extend({ key: callKey.optional() })

export type TesterMethods = Readonly<Record<string, ServerMethod>>

/**
 * The methods that the page may call.
 *
 * @param configDir Folder of `<plugin>.json` files; undefined: the default one.
 */
export const testerMethods = (configDir: string | undefined): TesterMethods => ({
  ...Object.fromEntries(Object.entries(serverMethods).filter(([name]) => shared.includes(name))),
  'system/discover': discoverOrList(),
  'plugin/swap': narrowed(
    'plugin/swap',
    z.strictObject({
      old: pluginName,
      new: pluginName,
      config: z.record(z.string(), z.unknown()).optional(),
      preserve_state: z.boolean().optional(),
    }),
  ),
  ...cancellableCalls(),
  'plugin/config': method(
    'Returns the configuration that a loaded plugin runs with; null while it starts.',
    z.strictObject({ name: pluginName }),
    z.record(z.string(), z.unknown()).nullable(),
    async ({ name }, { served: { local } }) => (local ? local.configOf(name) : null),
  ),
  'errors/list': method('Lists every error code with a remedy.', z.strictObject({}), errorsResult, () => [
    ...errorTable,
  ]),
  'checks/run': method(
    'Runs the checks of a plugin’s contract; emits each result.',
    z.strictObject({
      plugin: pluginName,
      only: z.array(z.string()).optional(),
      config: z.record(z.string(), z.unknown()).optional(),
    }),
    z.unknown(),
    (params, { served, call }) => {
      refuseGrants('checks/run', params.config)
      able('checks/run', served.local)
      return runPluginChecks(served, { ...params, configDir }, call)
    },
  ),
  'load/run': method(
    'Calls a method from many callers at once; emits figures while it runs.',
    z.strictObject({
      plugin: pluginName,
      method: z.string(),
      args: z.record(z.string(), z.unknown()).default({}),
      callers: z.int().min(1).max(256),
      seconds: z.number().min(0.1).max(3600),
      swap_to: pluginName.optional(),
    }),
    z.unknown(),
    ({ swap_to: swapTo, ...plan }, { served, call }) => runLoad(served, { ...plan, swapTo }, call),
  ),
})

/** Runs a request of the page. Throws PluginErrors. */
export async function runTesterMethod(methods: TesterMethods, context: ServerContext): Promise<unknown> {
  const { method: name } = context.call
  const known = Object.hasOwn(methods, name) ? methods[name] : undefined
  if (known) return runMethod(known, context)
  throw new PluginError(
    'METHOD_NOT_FOUND',
    `Unknown method ${quoted(name)}. Available: ${Object.keys(methods).join(', ')}`,
  )
}

/**
 * `plugin/call` with arguments up to the tester's limit, and `call/cancel`. A page that closes the connection would never see
 * whether the plugin has stopped: so a cancel comes as another request, and the call is answered as the plugin answers it.
 */
function cancellableCalls(): TesterMethods {
  const calls = new Map<string, IncomingCall>()
  const original = serverMethod('plugin/call')
  const run = async (
    { key, args = {}, ...params }: z.infer<typeof keyedParams>,
    context: ServerContext,
  ): Promise<unknown> => {
    if (key !== undefined) calls.set(key, context.call)
    try {
      return await original.run({ ...params, args: withRawBytes(args) } as never, context)
    } finally {
      if (key !== undefined) calls.delete(key)
    }
  }
  return {
    'plugin/call': { ...original, params: keyedParams, run },
    'call/cancel': method(
      'Cancels a call of `plugin/call` by its `key`. Returns whether there was one.',
      z.strictObject({ key: callKey }),
      z.boolean(),
      ({ key }) => {
        const call = calls.get(key)
        call?.cancel(new PluginError('REQUEST_CANCELLED', 'The request was cancelled'))
        return call !== undefined
      },
    ),
  }
}

/** What lies in the folders; of a cluster, what its nodes have loaded. */
function discoverOrList(): ServerMethod {
  const known = narrowed('system/discover', z.strictObject({}))
  const run = async (params: object, context: ServerContext): Promise<unknown> => {
    const { changes, loadedNames, system } = context.served
    if (changes.discover) return known.run(params as never, context)
    const names = loadedNames()
    const plugins = await Promise.all(
      names.map(async (name) => {
        const described = await system.describe(name).catch(() => undefined)
        const manifest = described?.plugin.manifest ?? null
        return { name, path: '', valid: true, errors: [], warnings: [], manifest }
      }),
    )
    return { discovered: names.length, valid: names.length, invalid: 0, plugins }
  }
  return { ...known, run }
}

/** A method of the server with fewer parameters. */
function narrowed(name: string, params: ServerMethod['params']): ServerMethod {
  return { ...serverMethod(name), params }
}

function serverMethod(name: string): ServerMethod {
  const found = serverMethods[name]
  if (!found) throw new TypeError(`There is no ${name}`)
  return found
}
