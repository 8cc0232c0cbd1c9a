import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/** What goes wrong between a client and a NATS server, byte by byte. */
export class TcpProxy {
  connections = new Set()
  #server
  #target

  static async start(target) {
    const proxy = new TcpProxy(target)
    await once(proxy.#server, 'listening')
    return proxy
  }

  constructor(target) {
    this.#target = target
    this.#server = createServer((client) => {
      const connection = new Connection(client, connect(this.#target, '127.0.0.1'))
      this.connections.add(connection)
      connection.ended.then(() => this.connections.delete(connection))
    }).listen(0, '127.0.0.1')
  }

  get port() {
    return this.#server.address().port
  }

  close() {
    this.#server.close()
    for (const connection of this.connections) connection.cut()
  }
}

class Connection {
  /** As the client tells it to the server. */
  name
  /** Resolves when it is cut. */
  ended
  #end
  #sockets
  #ways

  constructor(client, server) {
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
    this.#sockets = [client, server]
    this.#ways = [new Way(client, server), new Way(server, client)]
    this.#ways[0].onData = (chunk) => this.#readName(chunk)
    for (const socket of this.#sockets) {
      socket.setNoDelay(true)
      socket.on('error', () => {}).once('close', () => this.cut())
    }
    for (const way of this.#ways) way.onCut = () => this.cut()
  }

  /** Resets both ends: at once. */
  cut() {
    for (const socket of this.#sockets) socket.resetAndDestroy()
    for (const way of this.#ways) way.end()
    this.#end()
  }

  /** Resets both ends when so many more bytes have gone one way: 0 is to the server, 1 to the client. Resolves then. */
  cutAfter(bytes, way) {
    this.#ways[way].bytesLeft = bytes
    return this.ended
  }

  /** Nothing goes through, and neither end is told: until `resume()`. */
  stall() {
    for (const way of this.#ways) way.stall()
  }

  resume() {
    for (const way of this.#ways) way.resume()
  }

  /** From now on, all that goes through takes so long. */
  delay(ms) {
    for (const way of this.#ways) way.delayMs = ms
  }

  #readName(chunk) {
    if (this.name !== undefined) return
    const [, options] = /^CONNECT (.*)\r\n/m.exec(chunk.toString('latin1')) ?? []
    if (options !== undefined) this.name = JSON.parse(options).name ?? ''
  }
}

/** One direction of a connection. */
class Way {
  delayMs = 0
  bytesLeft = Number.POSITIVE_INFINITY
  onData = () => {}
  onCut = () => {}
  #from
  #to
  /** What is on its way, and when each part is there. */
  #parts = []
  #timer
  #isStalled = false

  constructor(from, to) {
    this.#from = from
    this.#to = to
    from.on('data', (chunk) => this.#take(chunk))
    to.on('drain', () => this.#isStalled || from.resume())
  }

  stall() {
    this.#isStalled = true
    this.#from.pause()
  }

  resume() {
    this.#isStalled = false
    this.#from.resume()
    this.#pump()
  }

  end() {
    clearTimeout(this.#timer)
    this.#parts = []
  }

  #take(chunk) {
    this.onData(chunk)
    this.#parts.push({ chunk, due: performance.now() + this.delayMs })
    this.#pump()
  }

  #pump() {
    clearTimeout(this.#timer)
    while (this.#parts.length > 0 && !this.#isStalled) {
      const waitMs = this.#parts[0].due - performance.now()
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#pump(), waitMs)
        return
      }
      this.#give(this.#parts.shift().chunk)
    }
  }

  #give(chunk) {
    const given = chunk.subarray(0, this.bytesLeft)
    this.bytesLeft -= given.length
    if (!this.#to.write(given)) this.#from.pause()
    // What was written goes out before the reset.
    if (this.bytesLeft <= 0) setImmediate(() => this.onCut())
  }
}
