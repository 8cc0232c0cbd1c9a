import { type Duplex, duplexPair, PassThrough, type Readable, type Writable } from 'node:stream'
import type { PluginError } from '@appfactory/sdk'
import type { Link } from './link.js'

type MemoryLink = Link & Required<Pick<Link, 'bytes'>>

/** Both ends of a link within this process, for tests and for what shares a process with its caller. */
export function memoryLink(): [MemoryLink, MemoryLink] {
  const [there, back] = [new PassThrough(), new PassThrough()]
  const [bytes, otherBytes] = duplexPair()
  return [new MemoryEnd(back, there, bytes), new MemoryEnd(there, back, otherBytes)]
}

class MemoryEnd implements MemoryLink {
  readonly closed: Promise<PluginError | undefined>
  #settle: (error: PluginError | undefined) => void = () => {}
  #isClosed = false

  constructor(
    readonly input: Readable,
    readonly output: Writable,
    readonly bytes: Duplex,
  ) {
    this.closed = new Promise((resolve) => {
      this.#settle = resolve
    })
    // The other end destroys what it reads no more, with its error if it has one.
    output.on('error', (error: PluginError) => this.#end(error))
    output.on('close', () => this.#end())
    for (const stream of [input, bytes]) stream.on('error', () => {})
  }

  close(error?: PluginError): void {
    if (this.#isClosed) return
    this.#end(error)
    if (error) this.output.destroy(error)
    else this.output.end()
    this.input.destroy(error)
  }

  #end(error?: PluginError): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#settle(error)
    this.bytes.end()
  }
}
