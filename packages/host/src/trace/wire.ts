import { describeThrown, type WireTap } from '@appfactory/sdk/internal'
import { shorten } from './shorten.js'
import { TraceFile } from './trace-file.js'

/** One message between the host and the process of a plugin. */
export interface WireLine {
  /** When it was sent or received: ISO 8601, in UTC. */
  time: string
  plugin: string
  /** Of the plugin's process. */
  pid: number | undefined
  direction: 'to plugin' | 'from plugin'
  /** The JSON-RPC message, shortened to less than 64 KiB; a text where it was no JSON-RPC. */
  message: unknown
}

/** Who watches never makes a call fail. */
function shown(message: unknown): unknown {
  try {
    return shorten(message)
  } catch (error) {
    return `it can’t be shown: ${describeThrown(error).message}`
  }
}

/** All messages between a host and its plugins, for whoever looks at them. Nothing is made of them while nobody does. */
export class Wire {
  readonly #listeners = new Set<(line: WireLine) => void>()
  readonly #file: TraceFile | undefined

  /**
   * @param file Gets each message as a line of JSON. Default: none.
   * @throws TypeError where it can't be written.
   */
  constructor(file?: string) {
    if (file === undefined) return
    const trace = new TraceFile(file)
    this.#file = trace
    this.listen((line) => trace.write(line))
  }

  /** Calls `listener`, which must not throw, with each message from now on. Returns what ends that. */
  listen(listener: (line: WireLine) => void): () => void {
    // One function that listens twice is two listeners.
    const own = (line: WireLine): void => listener(line)
    this.#listeners.add(own)
    return () => void this.#listeners.delete(own)
  }

  /** What a connection shows its messages to. */
  tap(plugin: string, pid: () => number | undefined): WireTap {
    const listeners = this.#listeners
    const tell = (direction: WireLine['direction'], message: unknown): void => {
      const time = new Date().toISOString()
      const line = { time, plugin, pid: pid(), direction, message: shown(message) }
      for (const listener of listeners) listener(line)
    }
    return {
      get isOn() {
        return listeners.size > 0
      },
      sent: (message) => tell('to plugin', message),
      received: (message) => tell('from plugin', message),
    }
  }

  /** Resolves once all lines are written or have failed. */
  async close(): Promise<void> {
    this.#listeners.clear()
    await this.#file?.close()
  }
}
