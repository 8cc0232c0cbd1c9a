import type { IncomingMessage } from 'node:http'
import { Busboy, type BusboyConfig, type BusboyInstance } from '@fastify/busboy'
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
  const headers = formHeaders(exchange.request)
  const body = await exchange.readBytes(mostFileBytes + 2 * 1024 * 1024).catch((error: unknown) => {
    throw error instanceof RequestError && error.status === 413 ? fileTooLong() : error
  })
  return parse(headers, body, fileNames)
}

function formHeaders(request: IncomingMessage): BusboyConfig['headers'] {
  const { headers } = request
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = headers
  const code = encoding.toLowerCase() === 'identity' ? 'unsupported_media_type' : 'unsupported_encoding'
  if (code === 'unsupported_encoding')
    throw new RequestError(415, 'Bodies must not be compressed: leave content-encoding out', { code })
  if (!isForm(request))
    throw new RequestError(
      415,
      'The body must be a form, with the header "content-type: multipart/form-data"',
      {
        code,
      },
    )
  return { 'content-type': type }
}

/** What is parsed at once, in bytes: what is wrong early ends it early. */
const parseAtOnce = 16_384

async function parse(
  headers: BusboyConfig['headers'],
  body: Buffer,
  fileNames: readonly string[],
): Promise<Form> {
  const parser = parserOf(headers, Math.max(1, fileNames.length))
  const form = collect(parser, fileNames)
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

function collect(parser: BusboyInstance, fileNames: readonly string[]): Promise<Form> {
  return new Promise((resolve, reject) => {
    const fields = new Map<string, string[]>()
    const files = new Map<string, Buffer[]>()
    parser.on('file', (name, stream) => {
      const parts: Buffer[] = []
      if (!fileNames.includes(name)) reject(wrongMember(name.slice(0, 100), 'must not be a file'))
      if (files.has(name)) reject(severalFiles(name))
      files.set(name, parts)
      stream.on('limit', () => reject(fileTooLong())).on('error', () => reject(brokenForm()))
      stream.on('data', (part: Buffer) => parts.push(part))
    })
    parser.on('field', (name, value, _, isCut) => {
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

function parserOf(headers: BusboyConfig['headers'], files: number): BusboyInstance {
  const limits = { files, fileSize: mostFileBytes, fields: mostFields, fieldSize: mostFieldBytes }
  try {
    return new Busboy({ headers, limits })
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
