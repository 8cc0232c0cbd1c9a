import type { PluginSummary, PluginSystem } from '@appfactory/host'
import type { Language, Model, Voice } from '@appfactory/sdk'
import type { Directory } from '../models.js'

/** How long plugins may take to tell about themselves, in ms: Home Assistant waits for a second. */
const patienceMs = 500

/** What a plugin tells of itself. */
export interface Details {
  url: string
  voices: readonly Voice[]
  languages: readonly Language[]
  models: readonly Model[]
}

const noDetails: Details = { url: '', voices: [], languages: [], models: [] }

/** What plugins tell of themselves, each asked once. */
export class DetailsOfPlugins {
  readonly #host: PluginSystem
  readonly #directory: Directory
  readonly #known = new Map<string, Promise<Details>>()

  constructor(host: PluginSystem, directory: Directory) {
    this.#host = host
    this.#directory = directory
    host.on('status', this.#forget).on('swap', this.#forget)
  }

  /** What is known in time. What comes later is there for the next client. */
  of(plugin: PluginSummary): Promise<Details> {
    const known = this.#known.get(plugin.name)
    const asked = known ?? this.#ask(plugin).catch(() => this.#unknown(plugin))
    this.#known.set(plugin.name, asked)
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(noDetails), patienceMs)
      void asked.then((details) => {
        clearTimeout(timer)
        resolve(details)
      })
    })
  }

  /** Stops listening to the host. */
  close(): void {
    this.#host.off('status', this.#forget).off('swap', this.#forget)
  }

  async #ask({ name, contract }: PluginSummary): Promise<Details> {
    const { tts, stt, llm } = this.#directory
    const [{ plugin }, voices, languages, models] = await Promise.all([
      this.#host.describe(name),
      contract === 'tts' ? tts.find(name).then(({ handle }) => handle.getVoices()) : [],
      contract === 'stt' ? stt.find(name).then(({ handle }) => handle.getLanguages()) : [],
      contract === 'llm' ? llm.modelsOf(name) : [],
    ])
    const { homepage, repository } = plugin.manifest ?? {}
    return { url: homepage ?? repository ?? '', voices, languages, models }
  }

  /** It is asked again the next time. */
  #unknown({ name }: PluginSummary): Details {
    this.#known.delete(name)
    return noDetails
  }

  readonly #forget = (): void => this.#known.clear()
}
