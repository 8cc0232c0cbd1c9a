import type { IncomingMessage } from 'node:http'
import { jsonErrorPlace } from '@appfactory/host/internal'
import { maxTimerMs, nameValue, parseJson } from '@appfactory/sdk/internal'
import { RequestError, reasonOf } from './errors.js'
import type { GatewayLimits } from './options.js'

/** What a body has to bring after its time of grace, in bytes a second. */
const leastBytesPerSecond = 1024

/** The place of an error is looked for in texts up to this length, in characters: it takes its time. */
const longestSearched = 65_536

/** The object of a body of JSON. @throws RequestError 400. */
export function jsonObjectOf(body: readonly Buffer[]): object {
  return parseObject(textOf(Buffer.concat(body)), 'The body')
}

/** A text that is a JSON object. @param subject What it is, as messages begin. @throws RequestError 400. */
export function parseObject(text: string, subject: string): object {
  const value = parse(text, subject)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw invalidJson(`${subject} must be a JSON object, not ${nameValue(value)}`)
}

/** Whether a body would be too long, as far as its headers tell. */
export function isTooLong({ headers }: IncomingMessage, maxBytes: number): boolean {
  return Number(headers['content-length'] ?? 0) > maxBytes
}

/** Only what is sent as it is can be bounded before it is unpacked. @throws RequestError 415. */
export function refuseCompressed({ headers }: IncomingMessage): void {
  const { 'content-encoding': encoding = 'identity', 'transfer-encoding': transfer = 'chunked' } = headers
  if (encoding.toLowerCase() === 'identity' && transfer.toLowerCase() === 'chunked') return
  throw new RequestError(415, 'Bodies must not be compressed: leave content-encoding out', {
    code: 'unsupported_encoding',
  })
}

/** A form of another page could send text/plain without asking first. @throws RequestError 415. */
export function refuseAllButJson(request: IncomingMessage): void {
  refuseCompressed(request)
  const [type = '', ...parameters] = (request.headers['content-type'] ?? '')
    .split(';')
    .map((part) => part.trim())
  const isOther = (parameter: string): boolean =>
    /^charset\s*=/i.test(parameter) && !/^charset\s*=\s*"?utf-?8"?$/i.test(parameter)
  if (/^application\/json$/i.test(type) && !parameters.some(isOther)) return
  throw new RequestError(
    415,
    'The body must be JSON in UTF-8, with the header "content-type: application/json"',
    {
      code: 'unsupported_media_type',
    },
  )
}

/**
 * Reads a body to its end.
 *
 * @param take Gets each part as it comes.
 * @param ask Asks for the body, once it is known that it may come.
 * @throws RequestError 408 or 413.
 */
export function readBody(
  request: IncomingMessage,
  { maxBodyBytes, slowBodyMs }: Pick<GatewayLimits, 'maxBodyBytes' | 'slowBodyMs'>,
  take: (part: Buffer) => void,
  ask: () => void,
): Promise<void> {
  if (isTooLong(request, maxBodyBytes)) return Promise.reject(tooLong(maxBodyBytes))
  ask()
  return new Promise((resolve, reject) => {
    let length = 0
    const pace = watchPace(
      slowBodyMs,
      () => length,
      () => settle(() => reject(tooSlow())),
    )
    const onData = (part: Buffer): void => {
      length += part.length
      if (length > maxBodyBytes) settle(() => reject(tooLong(maxBodyBytes)))
      else take(part)
    }
    const onEnd = (): void => settle(resolve)
    const onClose = (): void => settle(() => reject(new RequestError(400, 'The body ended too early')))
    function settle(tell: () => void): void {
      pace.stop()
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose)
      // What may follow is not wanted, and must not hold up the connection.
      request.on('error', () => {}).resume()
      tell()
    }
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose)
  })
}

/** Looks each second, after a time of grace, whether a body comes fast enough. */
function watchPace(graceMs: number, bytes: () => number, onSlow: () => void): { stop(): void } {
  const begun = performance.now()
  let timer = setTimeout(look, Math.min(graceMs, maxTimerMs))
  function look(): void {
    const seconds = (performance.now() - begun - graceMs) / 1000
    if (bytes() < seconds * leastBytesPerSecond) onSlow()
    else timer = setTimeout(look, 1000)
  }
  return { stop: () => clearTimeout(timer) }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function textOf(body: Buffer): string {
  try {
    return utf8.decode(body)
  } catch {
    throw invalidJson('The body is not JSON: it is not UTF-8')
  }
}

function parse(text: string, subject: string): unknown {
  try {
    return parseJson(text)
  } catch (error) {
    throw invalidJson(
      isJson(text)
        ? `${subject} can’t be taken: ${reasonOf(error)}`
        : `${subject} is not JSON: ${placeIn(text)}`,
    )
  }
}

/** Whether it parses, harm or not. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function placeIn(text: string): string {
  if (text.length > longestSearched) return 'it stops being JSON somewhere'
  if (text.trim() === '') return 'it is empty'
  const { line, column } = jsonErrorPlace(text)
  return `see line ${line}, column ${column}`
}

function invalidJson(message: string): RequestError {
  return new RequestError(400, message, { code: 'invalid_json' })
}

function tooLong(maxBytes: number): RequestError {
  return new RequestError(413, `A body has at most ${maxBytes} bytes (limits.maxBodyBytes)`, {
    code: 'request_too_large',
    headers: { connection: 'close' },
  })
}

function tooSlow(): RequestError {
  return new RequestError(408, 'The body came too slowly', {
    code: 'timeout',
    headers: { connection: 'close' },
  })
}
