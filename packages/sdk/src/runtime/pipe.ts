import { writeSync, writevSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { systemCodeOf } from '../errors.js'
import { openBytePipe } from '../wire/byte-pipe.js'

/** Node's handle of a pipe: `setBlocking` makes reads and writes wait. */
interface Handle {
  setBlocking(isBlocking: boolean): void
}

/** The pipe for messages from the host. Throws if there is none. */
export function openMessagePipe(fd: number): Socket {
  // End-of-file from the host must not stop pending answers.
  return writeAtOnce(new Socket({ fd, readable: true, writable: true, allowHalfOpen: true }), fd)
}

/** The pipe for raw bytes from the host. Throws if there is none. */
export function openByteChannel(fd: number): Socket {
  return writeAtOnce(openBytePipe({ fd }), fd)
}

/**
 * Makes each write wait until the pipe has taken all of it: otherwise process.exit() right after it would cut off a large
 * reply or the last log lines. For pipes that are not read here: others may write to them as well.
 */
export function makeBlocking(stream: Writable): void {
  handleOf(stream)?.setBlocking?.(true)
}

/** The same for a pipe that is read here too: in one that blocks, a read that fills its buffer to the last byte would wait for more. */
function writeAtOnce(pipe: Socket, fd: number): Socket {
  const handle = handleOf(pipe)
  if (process.platform === 'win32' || !handle) {
    makeBlocking(pipe)
    return pipe
  }
  const write = (parts: Uint8Array[], done: (error?: Error | null) => void): void => {
    try {
      writeWhole(fd, parts, handle)
    } catch (error) {
      done(error as Error)
      return
    }
    done()
  }
  pipe._write = (chunk, encoding, done) => write([bytesOf(chunk, encoding)], done)
  pipe._writev = (chunks, done) =>
    write(
      chunks.map(({ chunk, encoding }) => bytesOf(chunk, encoding)),
      done,
    )
  return pipe
}

function handleOf(stream: Writable): Handle | undefined {
  return Reflect.get(stream, '_handle') ?? undefined
}

/** The usual capacity of a pipe, in bytes. Larger writes are split. */
const mostAtOnce = 32 * 1024

function writeWhole(fd: number, parts: Uint8Array[], handle: Handle): void {
  const total = parts.reduce((sum, part) => sum + part.length, 0)
  let rest = total > mostAtOnce ? parts : without(parts, writeSome(fd, parts))
  if (rest.length === 0) return
  handle.setBlocking(true)
  try {
    while (rest.length > 0) rest = without(rest, writevSync(fd, rest))
  } finally {
    handle.setBlocking(false)
  }
}

/** Writes as much as fits; returns the number of bytes. */
function writeSome(fd: number, parts: Uint8Array[]): number {
  try {
    const [only] = parts
    return only && parts.length === 1 ? writeSync(fd, only) : writevSync(fd, parts)
  } catch (error) {
    if (systemCodeOf(error) === 'EAGAIN') return 0
    throw error
  }
}

/** The rest of `parts` after the first `bytes`. */
function without(parts: Uint8Array[], bytes: number): Uint8Array[] {
  let left = bytes
  return parts.flatMap((part) => {
    const skipped = Math.min(left, part.length)
    left -= skipped
    return skipped === part.length ? [] : [part.subarray(skipped)]
  })
}

function bytesOf(chunk: unknown, encoding: BufferEncoding): Uint8Array {
  return typeof chunk === 'string' ? Buffer.from(chunk, encoding) : (chunk as Uint8Array)
}
