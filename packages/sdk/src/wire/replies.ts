import { createJSONRPCErrorResponse, type JSONRPCErrorResponse } from 'json-rpc-2.0'
import { describeThrown, isPluginError, PluginError, toErrorObject } from '../errors.js'
import type { RequestId } from './message.js'

/** The response that tells an error; one that nobody foresaw becomes INTERNAL_ERROR. */
export function errorResponse(id: RequestId, error: unknown): JSONRPCErrorResponse {
  const { code, message, data } = toErrorObject(error)
  return createJSONRPCErrorResponse(id, code, message, data)
}

export function invalidRequest(id: RequestId, reason: string): JSONRPCErrorResponse {
  return errorResponse(id, new PluginError('INVALID_REQUEST', `Invalid request: ${reason}`))
}

export function cancelled(): PluginError {
  return new PluginError('REQUEST_CANCELLED', 'The request was cancelled')
}

/** The error of a call whose caller has aborted it, with the reason that the caller gave. */
export function cancelledBy({ reason }: AbortSignal, told = cancelled()): PluginError {
  const { message } = describeThrown(reason)
  // What Node puts in where no reason was given says nothing.
  const why = message === 'This operation was aborted' ? '' : ` (reason: ${message})`
  return new PluginError('REQUEST_CANCELLED', `${told.message}${why}`, told.data, { cause: reason })
}

/** Why a result could not be written. */
export function unwritable(error: unknown): PluginError {
  if (isPluginError(error)) return error
  const { name, message } = describeThrown(error)
  return new PluginError('INTERNAL_ERROR', `The result can’t be written as JSON: ${message}`, { error: name })
}
