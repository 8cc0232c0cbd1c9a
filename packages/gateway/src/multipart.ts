import type { IncomingMessage } from 'node:http'
import { Busboy, type BusboyInstance } from '@fastify/busboy'
import { refuseCompressed } from './body.js'
import { RequestError, wrongMember } from './errors.js'
import type { Exchange } from './exchange.js'

/** Longest file, and what may come around it, in bytes. */
const mostFileBytes = 25 * 1024 * 1024
const mostFieldBytes = 65_536
const mostFields = 64

/** A form with files. */
export interface Form {
  /** By the names of their fields. The names and types that the client gives them count for nothing. */
  files: ReadonlyMap<string, Buffer>
  /** The values of each field, in order. */
  fields: ReadonlyMap<string, readonly string[]>
}

/** Whether a body is a form with files. */
export function isForm({ headers }: IncomingMessage): boolean {
  return /^multipart\/form-data\s*(;|$)/i.test(headers['content-type']?.trim() ?? '')
}

/**
 * The body, where it is a form of the type multipart/form-data.
 *
 * @param fileNames Names of the fields that may be files. Each may be one.
 * @throws RequestError 400, 408, 413 or 415.
 */
export async function readForm(exchange: Exchange, fileNames: readonly string[] = ['file']): Promise<Form> {
  const parser = parserOf(formType(exchange.request), Math.max(1, fileNames.length))
  const body = await exchange.readBytes(mostFileBytes + 2 * 1024 * 1024).catch((error: unknown) => {
    throw error instanceof RequestError && error.status === 413 ? fileTooLong() : error
  })
  return parse(parser, body, fileNames)
}

function formType(request: IncomingMessage): string {
  refuseCompressed(request)
  const { 'content-type': type = '' } = request.headers
  if (!isForm(request))
    throw new RequestError(
      415,
      'The body must be a form, with the header "content-type: multipart/form-data"',
      {
        code: 'unsupported_media_type',
      },
    )
  return type
}

/** Part by part: what is wrong early ends it early. */
async function parse(
  parser: BusboyInstance,
  body: readonly Buffer[],
  fileNames: readonly string[],
): Promise<Form> {
  const form = collect(parser, fileNames)
  let isSettled = false
  const settled = form.then(
    () => {},
    () => {
      isSettled = true
    },
  )
  for (const part of body) {
    if (isSettled) break
    await Promise.race([settled, new Promise<unknown>((resolve) => parser.write(part, resolve))])
  }
  if (!isSettled) parser.end()
  return form
}

function collect(parser: BusboyInstance, fileNames: readonly string[]): Promise<Form> {
  return new Promise((resolve, reject) => {
    const fields = new Map<string, string[]>()
    const files = new Map<string, Buffer[]>()
    parser.on('file', (name, stream) => {
      const parts: Buffer[] = []
      if (!fileNames.includes(name)) reject(otherFile(name))
      if (files.has(name)) reject(severalFiles(name))
      files.set(name, parts)
      stream.on('limit', () => reject(fileTooLong())).on('error', () => reject(brokenForm()))
      stream.on('data', (part: Buffer) => parts.push(part))
    })
    parser.on('field', (name: string | undefined, value, _, isCut) => {
      if (name === undefined) return reject(namelessField())
      if (isCut) reject(tooMuch(`A field has at most ${mostFieldBytes} bytes`))
      fields.set(name, [...(fields.get(name) ?? []), value])
    })
    parser.on('filesLimit', () => reject(severalFiles(fileNames[0] ?? 'file')))
    parser.on('fieldsLimit', () => reject(tooMuch(`A form has at most ${mostFields} fields`)))
    parser.on('error', () => reject(brokenForm()))
    parser.on('finish', () =>
      resolve({ files: new Map([...files].map(([name, parts]) => [name, Buffer.concat(parts)])), fields }),
    )
  })
}

function parserOf(type: string, files: number): BusboyInstance {
  const limits = { files, fileSize: mostFileBytes, fields: mostFields, fieldSize: mostFieldBytes }
  try {
    return new Busboy({ headers: { 'content-type': type }, limits })
  } catch {
    throw brokenForm()
  }
}

function severalFiles(name: string): RequestError {
  return wrongMember(name, 'must be one file, not several')
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

function namelessField(): RequestError {
  return new RequestError(400, 'Each field of the form needs a name', { code: 'invalid_form' })
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
