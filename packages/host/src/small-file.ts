import { constants } from 'node:fs'
import { open } from 'node:fs/promises'

/**
 * Reads a text file of at most `maxBytes`, without its byte order mark. Never waits for a writer, as the reader of a named
 * pipe would.
 *
 * @throws Error with the system's `code`, such as ENOENT; without one where it is no regular file, or longer.
 */
export async function readSmallFile(file: string, maxBytes: number): Promise<string> {
  // Without O_NONBLOCK (0 on Windows), opening a named pipe that nobody writes to would wait for ever.
  const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const stats = await handle.stat()
    if (!stats.isFile()) throw new Error('it is not a regular file')
    if (stats.size > maxBytes) throw new Error(`it has ${stats.size} bytes; the limit is ${maxBytes}`)
    return withoutByteOrderMark(await handle.readFile('utf8'))
  } finally {
    await handle.close()
  }
}

function withoutByteOrderMark(text: string): string {
  return text.startsWith('\u{feff}') ? text.slice(1) : text
}
