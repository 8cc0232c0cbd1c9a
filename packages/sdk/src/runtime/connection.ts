import { closeSync, openSync, readSync } from 'node:fs'
import { devNull } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import type { HandshakeParams } from '../wire/protocol.js'
import { guardStdin, guardStdout } from './guard.js'
import { makeBlocking, openMessagePipe } from './pipe.js'

/** The streams for the messages of this process. */
export interface Connection {
  input: Readable
  output: Writable
  /** Those of the host's offers that were taken. */
  channels: string[]
}

/** How much is read at once. */
const readBytes = 64 * 1024

/** A first line that is longer than this is no handshake. */
const maxHandshakeBytes = 16 * 1024 * 1024

const lineFeed = 0x0a

/**
 * Protects the connection to the host from later code in this process: the author's code, its imports, and the processes
 * that it starts, which inherit stdin and stdout. If the host offers a separate pipe for messages, only the SDK has it; stdin
 * is then empty, and stdout a log. Otherwise both are protected in JavaScript only.
 */
export function connect(): Connection {
  // Read before anything else can: a stream would read on behind it.
  const said = process.platform === 'win32' ? Buffer.alloc(0) : readFirstLine()
  const connection = (offersPipe(said) ? connectByPipe() : undefined) ?? connectByStdio()
  if (said.length > 0) connection.input.unshift(said)
  guardStdin()
  guardStdout()
  return connection
}

/** The input on stdin, at least up to the end of the first line. */
function readFirstLine(): Buffer {
  const parts: Buffer[] = []
  for (let total = 0; total < maxHandshakeBytes; ) {
    const part = Buffer.allocUnsafe(readBytes)
    const length = readSome(part)
    if (length === 0) break
    const read = part.subarray(0, length)
    parts.push(read)
    if (read.includes(lineFeed)) break
    total += length
  }
  return Buffer.concat(parts)
}

/** Returns 0 at the end, or if stdin can't be read synchronously: then a stream reads it. */
function readSome(part: Buffer): number {
  try {
    return readSync(0, part)
  } catch {
    return 0
  }
}

function offersPipe(said: Buffer): boolean {
  // A client that has sent more than the handshake does not wait for the offer's answer.
  if (said.indexOf(lineFeed) !== said.length - 1) return false
  try {
    const { params } = JSON.parse(said.toString()) as { params?: Partial<HandshakeParams> }
    return params?.message_channels?.includes('fd4') === true
  } catch {
    return false
  }
}

function connectByPipe(): Connection | undefined {
  try {
    const pipe = openMessagePipe(4)
    emptyStdin()
    return { input: pipe, output: pipe, channels: ['fd4'] }
  } catch {
    return undefined
  }
}

/** The next open() gets the lowest free descriptor, 0. If the null device may not be read, the host closes its end of stdin. */
function emptyStdin(): void {
  try {
    const spare = openSync(devNull, 'r')
    closeSync(0)
    openSync(devNull, 'r')
    closeSync(spare)
  } catch {
    // A process that has no permission for it, or no file left.
  }
}

function connectByStdio(): Connection {
  makeBlocking(process.stdout)
  return { input: process.stdin, output: process.stdout, channels: [] }
}
