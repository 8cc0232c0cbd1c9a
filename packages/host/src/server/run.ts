import { PluginError } from '@appfactory/sdk'
import { firstIssues, issuesText, listed, quoted } from '@appfactory/sdk/internal'
import { within } from '../waiting.js'
import { callPlugin, invalidParams, isPlainCall, streamOption } from './calls.js'
import { type ServerContext, type ServerMethod, serverMethods } from './methods.js'
import { paramIssues } from './param-issues.js'

/** Runs a request of a client. Throws PluginErrors. */
export function runServerMethod(context: ServerContext): unknown {
  const { method: name, params = {} } = context.call
  if (name === 'plugin/call' && isPlainCall(params)) return callPlugin(context, params)
  const known = Object.hasOwn(serverMethods, name) ? serverMethods[name] : undefined
  if (!known) return callContract(context, name, params)
  return runMethod(known, context)
}

/** Checks the parameters and runs one method. */
export async function runMethod<Context extends ServerContext>(
  known: ServerMethod<Context>,
  context: Context,
): Promise<unknown> {
  const { method: name, params = {} } = context.call
  if (Array.isArray(params)) throw byName(name)
  const parsed = known.params.safeParse(params)
  if (!parsed.success) {
    const issues = firstIssues(paramIssues(parsed.error, params, Object.keys(known.params.shape)))
    throw invalidParams(name, issuesText(issues), issues)
  }
  return known.run(parsed.data as never, context)
}

/** `tts/synthesize`: calls the active plugin of the contract. `stream` is beside the arguments. */
function callContract(
  context: ServerContext,
  name: string,
  params: Record<string, unknown> | unknown[],
): Promise<unknown> {
  const [contract = '', wireName = '', ...rest] = name.split('/')
  const isName = wireName !== '' && rest.length === 0
  // Synchronously for a session: its calls must keep the order in which they arrived, whatever the method.
  const active = isName && 'session_id' in params ? context.served.system.active(contract) : undefined
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
  if (!called || !(await context.served.knowsContract(called.contract)))
    throw await methodNotFound(context, name)
  if (Array.isArray(params)) throw byName(name)
  const plugin = await within(context.served.requireActive(called.contract), { cancellation: context.call })
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

async function methodNotFound({ served: { system } }: ServerContext, name: string): Promise<PluginError> {
  const known = Object.keys(serverMethods).join(', ')
  const contracts = [...new Set((await system.list().catch(() => [])).map(({ contract }) => `${contract}/…`))]
  return new PluginError(
    'METHOD_NOT_FOUND',
    `Unknown method ${quoted(name)}. Available: ${[known, listed(contracts)].filter(Boolean).join(', ')}`,
  )
}

function byName(name: string): PluginError {
  return invalidParams(name, 'params must be an object, by name')
}
