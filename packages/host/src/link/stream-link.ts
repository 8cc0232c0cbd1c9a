import { Duplex, type Readable, type Writable } from 'node:stream'
import type { PluginError } from '@appfactory/sdk'
import { toErrorObject } from '@appfactory/sdk/internal'
import type { Link } from './link.js'

/** What a link over streams is made of. */
export interface LinkStreams {
  /** Lines from the other end. It may be the same stream as `output`: a socket. */
  input: Readable
  /** Lines to the other end. */
  output: Writable
  /** Frames of raw bytes, both ways. Default: none; bytes are base64 in their messages. */
  bytes?: Duplex
  /** Who is at the other end, for logs. Default: nobody knows. */
  caller?: string
}

/** How often is looked whether the other end is still there, once it has said all, in ms. */
const probeMs = 250

/** How long the other end may take to read what was written last, in ms: of a link that was closed, and of one that is broken. */
const lingerMs = { closed: 2000, broken: 250 }

/**
 * A link over any two streams: stdin and stdout, or a socket. It is closed when its output is. An error that it is closed with is
 * the last message to the other end, `$/close`.
 *
 * @example const link = streamLink({ input: socket, output: socket })
 */
export function streamLink(streams: LinkStreams): Link {
  return new StreamLink(streams)
}

class StreamLink implements Link {
  readonly input: Readable
  readonly output: Writable
  declare readonly bytes?: Duplex
  declare readonly caller?: string
  readonly closed: Promise<PluginError | undefined>
  #settle: (error: PluginError | undefined) => void = () => {}
  #isClosed = false

  constructor({ input, output, bytes, caller }: LinkStreams) {
    this.input = input
    this.output = output
    if (bytes) this.bytes = bytes
    if (caller !== undefined) this.caller = caller
    this.closed = new Promise((resolve) => {
      this.#settle = resolve
    })
    // An end that goes without a word has closed it all the same.
    for (const stream of this.#streams) stream.on('error', () => {})
    output.once('error', () => this.#end())
    output.once('close', () => this.#end())
    // A socket whose other end is gone looks as one whose other end has only said all, until it is written to.
    if (output instanceof Duplex) input.once('end', () => this.#probe(output))
  }

  close(error?: PluginError): void {
    if (this.#isClosed) return
    this.#end(error)
    const lastLine =
      error && `${JSON.stringify({ jsonrpc: '2.0', method: '$/close', params: toErrorObject(error) })}\n`
    this.output.end(lastLine)
    this.bytes?.end()
    const timer = setTimeout(() => this.#destroy(), error ? lingerMs.broken : lingerMs.closed)
    this.output.once('close', () => {
      clearTimeout(timer)
      this.#destroy()
    })
  }

  #end(error?: PluginError): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#settle(error)
    // What is still to come is for nobody, but the other end must get rid of it.
    this.input.resume()
  }

  /** Writes nothing, now and then: that fails where nobody is there any more. */
  #probe(output: Writable): void {
    const timer = setInterval(() => {
      if (output.writableLength === 0) output.write('')
    }, probeMs)
    void this.closed.then(() => clearInterval(timer))
  }

  #destroy(): void {
    for (const stream of this.#streams) stream.destroy()
  }

  get #streams(): readonly (Readable | Writable)[] {
    const { input, output, bytes } = this
    return bytes ? [input, output, bytes] : [input, output]
  }
}
