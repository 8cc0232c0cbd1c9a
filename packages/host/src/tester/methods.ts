import { errorTable, PluginError } from '@appfactory/sdk'
import { quoted } from '@appfactory/sdk/internal'
import { namePattern } from '@appfactory/sdk/manifest'
import { z } from 'zod'
import {
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

export type TesterMethods = Readonly<Record<string, ServerMethod>>

/**
 * The methods that the page may call.
 *
 * @param configDir Folder of `<plugin>.json` files; undefined: the default one.
 */
export const testerMethods = (configDir: string | undefined): TesterMethods => ({
  ...Object.fromEntries(Object.entries(serverMethods).filter(([name]) => shared.includes(name))),
  'system/discover': narrowed('system/discover', z.strictObject({})),
  'plugin/swap': narrowed(
    'plugin/swap',
    z.strictObject({
      old: pluginName,
      new: pluginName,
      config: z.record(z.string(), z.unknown()).optional(),
      preserve_state: z.boolean().optional(),
    }),
  ),
  'plugin/call': rawCall(),
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
    (params, { host, call }) => {
      refuseGrants('checks/run', params.config)
      return runPluginChecks(host, { ...params, configDir }, call)
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
    ({ swap_to: swapTo, ...plan }, { host, call }) => runLoad(host, { ...plan, swapTo }, call),
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

/** `plugin/call` with arguments up to the tester's limit. */
function rawCall(): ServerMethod {
  const original = serverMethod('plugin/call')
  return {
    ...original,
    run: (params: { args?: Record<string, unknown> }, context) =>
      original.run({ ...params, args: withRawBytes(params.args ?? {}) } as never, context),
  }
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
