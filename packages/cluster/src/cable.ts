import type { Link } from '@appfactory/host/internal'
import type { Beat } from './beat.js'

/** One run of a node. Two nodes with one name differ in `boot`. */
export interface NodeRun {
  readonly node: string
  readonly boot: string
}

/** Takes what a cable hears. */
export interface CableListener {
  /** A node tells how it is, checked by `readBeat`. */
  beat(beat: Beat): void
  /** The cable itself was lost, or is there again. */
  connection(isUp: boolean): void
}

/** A link to a node, and what its ends have agreed on. */
export interface Dialled {
  readonly link: Link
  /** Of raw bytes, where the cable has agreed on it. Absent: the node is asked over the link, where that has bytes. */
  readonly byteNonce?: string
}

/** What a caller needs to find nodes and reach them. */
export interface Cable {
  /** What it is, for messages: `NATS at 127.0.0.1:4222`. */
  readonly name: string
  /** Whether it carries anything at the moment. */
  readonly isConnected: boolean
  /** Tells what it hears from now on. Resolves when nothing can be missed any more. */
  listen(listener: CableListener): Promise<void>
  /** Asks all nodes for a beat. Resolves when those that are there have had the time to answer. */
  who(): Promise<void>
  /**
   * Opens a link to a plugin on a node.
   *
   * @throws PluginError Why the node, or the cable, refuses it. With `data.lost` where nobody answers: it may be there later.
   */
  dial(plugin: string, run: NodeRun): Promise<Dialled>
  /**
   * Opens a link that may load, unload, scale and swap plugins of a node, and end it.
   *
   * @throws PluginError As `dial` does.
   */
  admin(run: NodeRun): Promise<Dialled>
  close(): Promise<void>
}
