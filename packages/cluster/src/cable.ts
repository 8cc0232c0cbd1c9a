import type { Link } from '@appfactory/host'
import type { Beat } from './beat.js'
import type { BusChange } from './bus.js'
import type { DesiredStore } from './desired/store.js'
import type { LinkFigures } from './figures.js'

/** One run of a node. Two nodes with one name differ in `boot`. */
export interface NodeRun {
  readonly node: string
  readonly boot: string
}

/** A link that a node has opened. */
export interface Dialled {
  readonly link: Link
  /** Of raw bytes, where both ends have agreed on them. Absent: the node is asked over the link, where that has bytes. */
  readonly byteNonce?: string
  /** Of the run of the node. */
  readonly boot: string
}

/** What a caller needs to find nodes and reach them. */
export interface Cable {
  /** Whether it carries anything at the moment. */
  readonly isConnected: boolean
  /** Calls `listen` with each beat of a node. Returns what ends that. */
  onBeat(listen: (beat: Beat) => void): () => void
  /** Calls `listen` where the connection is lost, or is back. Returns what ends that. */
  onChange(listen: (change: BusChange) => void): () => void
  /** What is counted of its links. Absent: nothing is. */
  readonly figures?: LinkFigures
  /** Asks all nodes for a beat. */
  who(): void
  /**
   * Opens a link to a plugin on a node: on the run `boot` alone, where that is given.
   *
   * @throws PluginError Why the node, or the cable, refuses it.
   */
  dial(plugin: string, node: string, boot?: string): Promise<Dialled>
  /** Opens a link that may load, unload, scale and swap plugins of a node, and drain it. Throws as `dial` does. */
  admin(node: string, boot?: string): Promise<Dialled>
  /** Where what is wanted of the whole cluster is kept; it is made where it is not there. Throws why it can't be used. */
  desired?(): Promise<DesiredStore>
  close(): Promise<void>
}
