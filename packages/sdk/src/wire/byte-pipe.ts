import { type OnReadOpts, Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** How much is read at once. */
const readBytes = 64 * 1024

/**
 * Opens a pipe of raw bytes. All reads go into one buffer: a new one for each would be as much garbage as there are bytes,
 * which costs more time than to read them. So what a 'data' event brings is good until the event is over, and no longer.
 */
export function openBytePipe(end: { fd: number } | { handle: object }): Socket {
  const buffer = Buffer.allocUnsafeSlow(readBytes)
  const onread: OnReadOpts = {
    buffer,
    callback: (length) => {
      socket.emit('data', buffer.subarray(0, length))
      return true
    },
  }
  const options = { ...end, readable: true, writable: true, onread }
  const socket = new Socket(options)
  return socket
}

/** Makes a pipe that is open already read as `openBytePipe` does. Nothing may have been read from it. */
export function reopenAsBytePipe(pipe: Duplex): Duplex {
  const handle: unknown = Reflect.get(pipe, '_handle')
  if (typeof handle !== 'object' || handle === null) return pipe
  Reflect.set(pipe, '_handle', null)
  const socket = openBytePipe({ handle })
  socket.once('close', () => pipe.destroy())
  return socket
}
