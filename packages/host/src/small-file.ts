import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

/** As `readSmallBytes`, for a text file: without its byte order mark. */
export async function readSmallFile(file: string, maxBytes: number): Promise<string> {
  return withoutByteOrderMark((await readSmallBytes(file, maxBytes)).toString('utf8'))
}

/**
 * Reads a file of at most `maxBytes`. Never waits for a writer, as the reader of a named
 * pipe would.
 *
 * @throws Error with the system's `code`, such as ENOENT; without one where it is no regular file, or longer.
 */
export async function readSmallBytes(file: string, maxBytes: number): Promise<Buffer> {
  // Without O_NONBLOCK (0 on Windows), opening a named pipe that nobody writes to would wait for ever.
  const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const stats = await handle.stat()
    if (!stats.isFile()) throw new Error('it is not a regular file')
    if (stats.size > maxBytes) throw new Error(`it has ${stats.size} bytes; the limit is ${maxBytes}`)
    return await readAtMost(handle, maxBytes)
  } finally {
    await handle.close()
  }
}

/** A file may have more than its size says: one that is being written, or one of the kernel's. */
async function readAtMost(handle: FileHandle, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  for (let total = 0; ; ) {
    const chunk = Buffer.alloc(Math.min(64 * 1024, maxBytes + 1 - total))
    const { bytesRead } = await handle.read(chunk)
    if (bytesRead === 0) return Buffer.concat(chunks)
    total += bytesRead
    if (total > maxBytes) throw new Error(`it has more than ${maxBytes} bytes, the limit`)
    chunks.push(chunk.subarray(0, bytesRead))
  }
}

function withoutByteOrderMark(text: string): string {
  return text.startsWith('\u{feff}') ? text.slice(1) : text
}
