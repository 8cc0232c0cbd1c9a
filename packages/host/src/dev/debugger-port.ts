import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { reasonOf } from '../errors.js'

/** A port that stays the same while the processes behind it come and go. */
export interface DebuggerPort extends AsyncDisposable {
  readonly port: number
  /** Connections go to that port of 127.0.0.1 from now on. */
  leadTo(port: number): void
}

/**
 * Listens on a port of 127.0.0.1 for debuggers: each reload of a plugin is another process, with a port of its own.
 *
 * @param port 0: any.
 * @throws Error where the port is taken.
 */
export async function openDebuggerPort(port: number): Promise<DebuggerPort> {
  let target: number | undefined
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    // Nobody is there yet: the debugger tries again.
    if (target === undefined) client.destroy()
    else join(client, connect(target, '127.0.0.1'), sockets)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening').catch((error: unknown) => {
    throw new Error(`--inspect-port ${port}: ${reasonOf(error)}. Choose another port; 0 is any`)
  })
  return {
    port: (server.address() as AddressInfo).port,
    leadTo: (next) => {
      target = next
    },
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

function join(client: Socket, upstream: Socket, sockets: Set<Socket>): void {
  for (const [socket, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => {
      sockets.delete(socket)
      other.destroy()
    })
    socket.pipe(other)
  }
}
