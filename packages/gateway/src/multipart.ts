import type { IncomingMessage } from 'node:http'
import { Busboy, type BusboyInstance } from '@fastify/busboy'
import { refuseCompressed } from './body.js'
import { RequestError, wrongMember } from './errors.js'
import type { Exchange } from './exchange.js'

/** Longest file, and what may come around it, in bytes. */
const mostFileBytes = 25 * 1024 * 1024
const mostFieldBytes = 65_536
const mostFields = 64

/** A form with at most one file. */
export interface Form {
  /** Undefined: there is none. Names and types that the client gives it count for nothing. */
  file: Buffer | undefined
  /** The values of each field, in order. */
  fields: ReadonlyMap<string, readonly string[]>
}

/** The body, where it is a form of the type multipart/form-data. @throws RequestError 400, 408, 413 or 415. */
export async function readForm(exchange: Exchange): Promise<Form> {
  const parser = parserOf(formType(exchange.request))
  const body = await exchange.readBytes(mostFileBytes + 2 * 1024 * 1024).catch((error: unknown) => {
    throw error instanceof RequestError && error.status === 413 ? fileTooLong() : error
  })
  return parse(parser, body)
}

function formType(request: IncomingMessage): string {
  refuseCompressed(request)
  const { 'content-type': type = '' } = request.headers
  if (!/^multipart\/form-data\s*(;|$)/i.test(type.trim()))
    throw new RequestError(
      415,
      'The body must be a form, with the header "content-type: multipart/form-data"',
      {
        code: 'unsupported_media_type',
      },
    )
  return type
}

/** What is parsed at once, in bytes: what is wrong early ends it early. */
const parseAtOnce = 16_384

async function parse(parser: BusboyInstance, body: Buffer): Promise<Form> {
  const form = collect(parser)
  let isSettled = false
  const settled = form.then(
    () => {},
    () => {
      isSettled = true
    },
  )
  for (let start = 0; start < body.length && !isSettled; start += parseAtOnce) {
    const part = body.subarray(start, start + parseAtOnce)
    await Promise.race([settled, new Promise<unknown>((resolve) => parser.write(part, resolve))])
  }
  if (!isSettled) parser.end()
  return form
}

function collect(parser: BusboyInstance): Promise<Form> {
  return new Promise((resolve, reject) => {
    const fields = new Map<string, string[]>()
    const parts: Buffer[] = []
    let files = 0
    parser.on('file', (name, stream) => {
      files++
      if (name !== 'file') reject(otherFile(name))
      stream.on('limit', () => reject(fileTooLong())).on('error', () => reject(brokenForm()))
      stream.on('data', (part: Buffer) => parts.push(part))
    })
    parser.on('field', (name, value, _, isCut) => {
      if (isCut) reject(tooMuch(`A field has at most ${mostFieldBytes} bytes`))
      fields.set(name, [...(fields.get(name) ?? []), value])
    })
    parser.on('filesLimit', () => reject(wrongMember('file', 'must be one file, not several')))
    parser.on('fieldsLimit', () => reject(tooMuch(`A form has at most ${mostFields} fields`)))
    parser.on('error', () => reject(brokenForm()))
    parser.on('finish', () => resolve({ file: files > 0 ? Buffer.concat(parts) : undefined, fields }))
  })
}

function parserOf(type: string): BusboyInstance {
  const limits = { files: 1, fileSize: mostFileBytes, fields: mostFields, fieldSize: mostFieldBytes }
  try {
    return new Busboy({ headers: { 'content-type': type }, limits })
  } catch {
    throw brokenForm()
  }
}

function brokenForm(): RequestError {
  return new RequestError(
    400,
    'The form can’t be read: its boundary is missing or wrong, or it ends too early',
    {
      code: 'invalid_form',
    },
  )
}

/** A part may come without any name. */
function otherFile(name: string | undefined): RequestError {
  return name
    ? wrongMember(name.slice(0, 100), 'must not be a file')
    : wrongMember('file', 'is the name that the file must have, and it has none')
}

function fileTooLong(): RequestError {
  return tooMuch(`file: a file has at most ${mostFileBytes} bytes`, 'file')
}

function tooMuch(message: string, param: string | null = null): RequestError {
  return new RequestError(413, message, {
    param,
    code: 'request_too_large',
    headers: { connection: 'close' },
  })
}
