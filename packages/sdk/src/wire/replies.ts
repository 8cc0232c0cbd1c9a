import { createJSONRPCErrorResponse, type JSONRPCErrorResponse } from 'json-rpc-2.0'
import { describeThrown, isPluginError, PluginError, toErrorObject } from '../errors.js'
import type { RequestId } from './message.js'

/** Most characters of an error's message, and of each text in its data. */
const maxText = 2000

/** Most characters of JSON that an error's data have: what is longer is shortened. */
const maxData = 64 * 1024

/** Of long lists in the data of an error, the first ones say it all. */
const maxItems = 20

/** Deeper than that, long data are cut off. */
const maxDataDepth = 8

/** The response that tells an error; one that nobody foresaw becomes INTERNAL_ERROR. What it says is cut to what a person reads. */
export function errorResponse(id: RequestId, error: unknown): JSONRPCErrorResponse {
  const { code, message, data } = toErrorObject(error)
  return createJSONRPCErrorResponse(id, code, shortText(message), shortData(data))
}

function shortText(text: string): string {
  if (text.length <= maxText) return text
  return `${cut(text, maxText)} (${text.length} characters in all)`
}

/** The data as they are, as long as they are not long. */
function shortData(data: unknown): unknown {
  if (data === undefined) return undefined
  let text: string | undefined
  try {
    text = JSON.stringify(data)
  } catch {
    // What can't be JSON is left out where the message is written.
    return data
  }
  return text === undefined || text.length <= maxData
    ? data
    : shorten(JSON.parse(text), { left: maxData }, maxDataDepth)
}

/** What `room` has characters for. */
function shorten(value: unknown, room: { left: number }, depth: number): unknown {
  const most = Math.max(0, Math.min(maxText, room.left))
  const text = typeof value === 'string' ? cut(value, most) : ''
  room.left -= text.length + 8
  if (typeof value === 'string') return text
  if (typeof value !== 'object' || value === null) return value
  if (depth === 0 || room.left <= 0) return null
  if (Array.isArray(value)) return value.slice(0, maxItems).map((item) => shorten(item, room, depth - 1))
  const members = Object.entries(value).slice(0, maxItems)
  return Object.fromEntries(members.map(([key, item]) => [cut(key, 100), shorten(item, room, depth - 1)]))
}

/** The beginning of a text, without half of a character at its end. */
function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length).replace(/[\ud800-\udbff]$/, '')}…`
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
