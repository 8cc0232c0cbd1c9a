import { parseJson } from '@appfactory/sdk/internal'
import { joinBytes } from '../audio/samples.js'
import { RequestError, reasonOf } from '../errors.js'

/** An event of the Wyoming protocol. */
export interface WyomingEvent {
  type: string
  data: Readonly<Record<string, unknown>>
  /** Samples without a header. */
  payload: Uint8Array
  /** What it took on its way, without its first line. */
  bytes: number
}

/** Bounds of one event, in bytes. */
export const mostHeaderBytes = 65_536
export const mostDataBytes = 1024 * 1024
export const mostPayloadBytes = 1024 * 1024

/** Of the package whose events these are. */
const protocolVersion = '1.10.2'

interface Head {
  type: string
  data: Readonly<Record<string, unknown>>
  dataLength: number
  payloadLength: number
}

/** Makes events of bytes as they come: a line of JSON, further data as JSON, and a payload. */
export class FrameReader {
  #parts: Uint8Array[] = []
  #length = 0
  #head: Head | undefined;

  /** The events that are complete. @throws RequestError where a line, a length or JSON is wrong. */
  *push(bytes: Uint8Array): Generator<WyomingEvent, void, undefined> {
    this.#parts.push(bytes)
    this.#length += bytes.length
    // A long payload is put together once, when all of it is there.
    if (this.#length < bodyLength(this.#head)) return
    let rest = Buffer.from(joinBytes(this.#parts))
    for (;;) {
      if (!this.#head) {
        const line = lineOf(rest)
        if (!line) break
        this.#head = headOf(line)
        rest = rest.subarray(line.length + 1)
      }
      const length = bodyLength(this.#head)
      if (rest.length < length) break
      yield eventOf(this.#head, rest.subarray(0, length))
      this.#head = undefined
      rest = rest.subarray(length)
    }
    this.#parts = [rest]
    this.#length = rest.length
  }
}

/** The bytes of an event. */
export function frameOf(type: string, data: object = {}, payload: Uint8Array = new Uint8Array()): Uint8Array {
  const json = Buffer.from(JSON.stringify(data))
  const head = {
    type,
    version: protocolVersion,
    data_length: json.length,
    ...(payload.length > 0 ? { payload_length: payload.length } : {}),
  }
  return joinBytes([Buffer.from(`${JSON.stringify(head)}\n`), json, payload])
}

function bodyLength(head: Head | undefined): number {
  return head ? head.dataLength + head.payloadLength : 0
}

function lineOf(bytes: Buffer): Buffer | undefined {
  const end = bytes.indexOf('\n')
  if ((end < 0 ? bytes.length : end) > mostHeaderBytes)
    throw invalidEvent(`Its first line has more than ${mostHeaderBytes} bytes`)
  return end < 0 ? undefined : bytes.subarray(0, end)
}

function headOf(line: Buffer): Head {
  const head = objectIn(line, 'Its first line')
  const { type, data = null } = head
  if (typeof type !== 'string' || type === '') throw invalidEvent('It has no type')
  if (data !== null && !isObject(data)) throw invalidEvent('Its data is no object')
  return {
    type,
    data: data ?? {},
    dataLength: lengthIn(head, 'data_length', mostDataBytes),
    payloadLength: lengthIn(head, 'payload_length', mostPayloadBytes),
  }
}

function eventOf({ type, data, dataLength }: Head, body: Buffer): WyomingEvent {
  const more = dataLength === 0 ? {} : objectIn(body.subarray(0, dataLength), 'Its data')
  return { type, data: { ...data, ...more }, payload: body.subarray(dataLength), bytes: body.length }
}

function lengthIn(head: Readonly<Record<string, unknown>>, name: string, most: number): number {
  const length = head[name] ?? 0
  if (typeof length === 'number' && Number.isInteger(length) && length >= 0 && length <= most) return length
  throw invalidEvent(`Its ${name} must be a whole number from 0 to ${most}`)
}

function objectIn(bytes: Buffer, what: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw invalidEvent(`${what} can’t be read as JSON: ${reasonOf(error)}`)
  }
  if (isObject(value)) return value
  throw invalidEvent(`${what} is no object`)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalidEvent(reason: string): RequestError {
  return new RequestError(400, `This is no event of the Wyoming protocol. ${reason}`, {
    code: 'invalid_event',
  })
}
