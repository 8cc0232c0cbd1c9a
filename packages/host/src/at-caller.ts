import { isPluginError, PluginError } from '@appfactory/sdk'

/** Errors whose stack begins at a call: one error may fail many calls. */
const placed = new WeakSet<PluginError>()

/** Node's own loop, which calls what waits for an answer. */
const queueFrame = /^ {4}at process\.processTicksAndRejections .*\n/m

/**
 * A PluginError with a stack that begins at the application's call, instead of at the pipe that its answer came through. Costs
 * nothing until a call fails: V8 knows who awaits the promise that `method` settles.
 *
 * @param method What runs now. It and all that it has called are left out.
 */
export function atCaller(error: unknown, method: (...args: never[]) => unknown): unknown {
  if (!isPluginError(error)) return error
  const own = placed.has(error) ? copyOf(error) : error
  placed.add(own)
  Error.captureStackTrace(own, method)
  if (own.stack !== undefined) own.stack = own.stack.replace(queueFrame, '')
  return own
}

function copyOf({ code, message, data, cause }: PluginError): PluginError {
  return new PluginError(code, message, data, cause === undefined ? undefined : { cause })
}
