import { errorTable, PluginError } from '@appfactory/sdk'
import { namePattern } from '@appfactory/sdk/manifest'
import { quoted } from '@appfactory/sdk/wire'
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

/** Of the server's methods, those that take neither a path nor end the host. */
const shared = ['status', 'plugin/list', 'plugin/describe', 'plugin/load', 'plugin/unload', 'plugin/health']

const errorsResult = z.array(
  z.strictObject({ code: z.number(), name: z.string(), description: z.string(), advice: z.string() }),
)

const pluginName = z.string().regex(namePattern)

export type TesterMethods = Readonly<Record<string, ServerMethod>>

/**
 * What the page may ask for.
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
  'errors/list': method(
    'Every error code, and what to do about it.',
    z.strictObject({}),
    errorsResult,
    () => [...errorTable],
  ),
  'checks/run': method(
    'Checks that a plugin does what its contract says; tells each result.',
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
    'Calls a method from many callers at once; tells figures while it runs.',
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

/** Runs what the page asks for. Throws PluginErrors. */
export async function runTesterMethod(methods: TesterMethods, context: ServerContext): Promise<unknown> {
  const { method: name } = context.call
  const known = Object.hasOwn(methods, name) ? methods[name] : undefined
  if (known) return runMethod(known, context)
  throw new PluginError(
    'METHOD_NOT_FOUND',
    `The tester has no method ${quoted(name)}; it has ${Object.keys(methods).join(', ')}`,
  )
}

/** `plugin/call` with arguments as large as the tester takes them. */
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
