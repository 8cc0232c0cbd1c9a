import type { Socket } from 'node:net'

/** What a connection begins with. */
interface FirstLine {
  /** With its end. Undefined: it is longer, or all has ended without the end of a line. It is still to be read then, except for `rest`. */
  line?: Buffer
  /** What came before the end of all. */
  rest?: Buffer
}

/** Reads the first line of a connection, which is paused then: what comes behind it is still to be read. */
export function lineOf(socket: Socket, maxBytes: number): Promise<FirstLine> {
  return new Promise((resolve) => {
    let begun = Buffer.alloc(0)
    const settle = (found: FirstLine): void => {
      socket.off('data', read).off('end', end).off('close', end)
      resolve(found)
    }
    const end = (): void => settle({ rest: begun })
    const read = (part: Buffer): void => {
      begun = Buffer.concat([begun, part])
      const at = begun.subarray(0, maxBytes).indexOf('\n')
      if (at === -1 && begun.length < maxBytes) return
      socket.pause()
      const left = begun.subarray(at + 1)
      if (left.length > 0) socket.unshift(left)
      settle(at === -1 ? {} : { line: begun.subarray(0, at + 1) })
    }
    socket.on('data', read).once('end', end).once('close', end)
  })
}
