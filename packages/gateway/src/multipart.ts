import type { IncomingMessage } from 'node:http'
import { Busboy, type BusboyInstance } from '@fastify/busboy'
import { refuseCompressed } from './body.js'
import { RequestError, wrongMember } from './errors.js'
import type { Exchange } from './exchange.js'
import { leaveRoom, takeRoom } from './upload-room.js'

/** Longest file, and what may come around it, in bytes. */
const mostFileBytes = 25 * 1024 * 1024
const mostFieldBytes = 65_536
const mostFields = 64
const mostOtherBytes = 2 * 1024 * 1024

/** From this length on, a file is not kept in parts. */
const longBytes = 1024 * 1024

/** A form with files. */
export interface Form {
  /** By the names of their fields. The names and types that the client gives them count for nothing. */
  files: ReadonlyMap<string, Buffer>
  /** The values of each field, in order. */
  fields: ReadonlyMap<string, readonly string[]>
  /** Gives the memory of its files to the forms that come: nothing may read them afterwards. */
  release(): void
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
  const { request } = exchange
  const parser = parserOf(formType(request), fileNames)
  const form = collect(parser, fileNames, Number(request.headers['content-length'] ?? 0))
  // What is wrong with it is reported once all of it has come: clients read no answer before.
  let isWrong = false
  form.catch(() => {
    isWrong = true
  })
  const take = (part: Buffer): void => {
    if (!isWrong) parser.write(part)
  }
  await exchange.readParts(mostFileBytes + mostOtherBytes, take).catch((error: unknown) => {
    throw error instanceof RequestError && error.status === 413 ? fileTooLong() : error
  })
  if (!isWrong) parser.end()
  return form
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

function collect(parser: BusboyInstance, fileNames: readonly string[], bodyBytes: number): Promise<Form> {
  return new Promise((resolve, reject) => {
    const fields = new Map<string, string[]>()
    const files = new Map<string, FileBytes>()
    parser.on('file', (name, stream) => {
      const file = new FileBytes(bodyBytes)
      if (!fileNames.includes(name)) reject(otherFile(name))
      if (files.has(name)) reject(severalFiles(name))
      files.set(name, file)
      stream.on('limit', () => reject(fileTooLong())).on('error', () => reject(brokenForm()))
      stream.on('data', (part: Buffer) => file.add(part))
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
      resolve({
        files: new Map([...files].map(([name, file]) => [name, file.whole()])),
        fields,
        release: () => {
          for (const file of files.values()) file.release()
        },
      }),
    )
  })
}

/** A file as it comes. Once it has become long, it goes where the rest of the body has room, too: parts that are kept take as much again. */
class FileBytes {
  #parts: Buffer[] = []
  #length = 0
  #room: Buffer | undefined
  readonly #bodyBytes: number

  /** @param bodyBytes How long the body is that the file is in. 0 where nobody knows. */
  constructor(bodyBytes: number) {
    this.#bodyBytes = bodyBytes
  }

  add(part: Buffer): void {
    const start = this.#length
    this.#length += part.length
    if (this.#room) part.copy(this.#room, start)
    else this.#parts.push(part)
    if (!this.#room && this.#length >= longBytes && this.#length <= this.#bodyBytes) this.#makeRoom()
  }

  whole(): Buffer {
    return this.#room?.subarray(0, this.#length) ?? Buffer.concat(this.#parts)
  }

  release(): void {
    if (this.#room) leaveRoom(this.#room)
    this.#room = undefined
  }

  #makeRoom(): void {
    const room = takeRoom(this.#bodyBytes)
    let filled = 0
    for (const part of this.#parts) filled += part.copy(room, filled)
    this.#parts = []
    this.#room = room
  }
}

function parserOf(type: string, fileNames: readonly string[]): BusboyInstance {
  // One more than there may be, so that it can be told which is one too many.
  const limits = {
    files: fileNames.length + 1,
    fileSize: mostFileBytes,
    fields: mostFields,
    fieldSize: mostFieldBytes,
  }
  try {
    // Some clients give a file no name, others give each field a type.
    const isPartAFile = (
      name: string | undefined,
      partType: string | undefined,
      fileName: string | undefined,
    ) => fileName !== undefined || (fileNames.includes(name ?? '') && partType !== 'text/plain')
    return new Busboy({ headers: { 'content-type': type }, limits, isPartAFile })
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
