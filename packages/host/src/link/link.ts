import type { Duplex, Readable, Writable } from 'node:stream'
import type { PluginError } from '@appfactory/sdk'

/**
 * A connection that carries the wire: rows of JSON lines both ways, and raw bytes beside them where it can. All arrives in order
 * and whole, or the link is broken.
 */
export interface Link {
  /** Lines from the other end. Its end: the other end sends nothing any more, and may still read. */
  readonly input: Readable
  /** Lines to the other end. Its back-pressure is that of the other end. */
  readonly output: Writable
  /** Frames of raw bytes, as on file descriptor 3 of a plugin. Absent: bytes are base64 in their messages. */
  readonly bytes?: Duplex
  /** Who is at the other end, for logs and limits. It comes from the connection, never from a message. */
  readonly caller?: string
  /**
   * Resolves when the link carries nothing any more: with why it broke, or undefined where one of the ends closed it. Never
   * rejects.
   */
  readonly closed: Promise<PluginError | undefined>
  /**
   * Closes it; again does nothing. What was written before is still delivered. With an error, the link breaks at once, and the
   * other end learns why.
   */
  close(error?: PluginError): void
  /** Once it is broken: lines that the other end has certainly not read, if any is known. They may begin within a line. */
  readonly undelivered?: readonly Buffer[]
  /**
   * Told by who uses it, where it can't notice by itself that the other end has died: while `isWaiting` returns true, it makes sure
   * that the other end lives.
   */
  watch?(isWaiting: () => boolean): void
  /** Whether it is cut off at the moment: what is written waits until the other end is there again, or the link is broken. */
  readonly isCut?: boolean
}
