import type { PluginSummary, PluginSystem } from '@appfactory/host'
import { RequestError } from '../errors.js'
import type { Directory } from '../models.js'
import type { Details, DetailsOfPlugins } from './details.js'
import { Memory } from './memory.js'

type Contract = 'stt' | 'tts' | 'llm'

interface Program extends Details {
  plugin: PluginSummary
}

/** The plugins behind a port, as the protocol lists them. */
export class Programs {
  readonly #host: PluginSystem
  readonly #directory: Directory
  readonly #only: string | undefined
  readonly #details: DetailsOfPlugins
  readonly memory = new Memory()

  /** @param only The plugin that answers here. Default: all. */
  constructor(host: PluginSystem, directory: Directory, details: DetailsOfPlugins, only: string | undefined) {
    this.#host = host
    this.#directory = directory
    this.#details = details
    this.#only = only
  }

  /** The data of `info`. */
  async info(): Promise<object> {
    const [asr, tts, handle] = await Promise.all([this.#list('stt'), this.#list('tts'), this.#list('llm')])
    return {
      asr: asr.map(hearingProgram),
      tts: tts.map(speakingProgram),
      handle: handle.map(answeringProgram),
      ...{ intent: [], wake: [], mic: [], snd: [] },
    }
  }

  /**
   * What answers.
   *
   * @param names What the client has asked for: the first that is here. Default: the active plugin.
   * @throws RequestError 404 where none is loaded.
   */
  async find(contract: Contract, names: readonly (string | undefined)[] = []): Promise<Program> {
    const programs = await this.#list(contract)
    const asked = names.map((name) => programs.find(({ plugin }) => plugin.name === name))
    const found = asked.find((program) => program !== undefined) ?? programs[0]
    if (found) return found
    const message = `No plugin of contract ${contract} is loaded${this.#only === undefined ? '' : ` as ${this.#only}`}`
    throw new RequestError(404, message, { code: 'model_not_found' })
  }

  /** The name of a plugin that has a voice. */
  async withVoice(voice: string): Promise<string | undefined> {
    const programs = await this.#list('tts')
    return programs.find(({ voices }) => voices.some(({ id }) => id === voice))?.plugin.name
  }

  /** A port stays with what the plugin was replaced with. */
  async #currentName(): Promise<string | undefined> {
    if (this.#only === undefined) return undefined
    return this.#host.get(this.#only).then(
      ({ name }) => name,
      () => this.#only,
    )
  }

  /** The active one first: clients take that. */
  async #list(contract: Contract): Promise<Program[]> {
    const active = this.#host.active(contract)
    const only = await this.#currentName()
    const plugins = (await this.#directory.plugins())
      .filter((plugin) => plugin.contract === contract && plugin.name === (only ?? plugin.name))
      .toSorted((one, other) => Number(other.name === active) - Number(one.name === active))
    return Promise.all(plugins.map(async (plugin) => ({ plugin, ...(await this.#details.of(plugin)) })))
  }
}

/** Whether a plugin of transcription listens while somebody speaks. */
export function listensMeanwhile({ capabilities }: PluginSummary): boolean {
  return capabilities.includes('transcribe_stream') || capabilities.includes('start_stream')
}

function hearingProgram(program: Program): object {
  const { plugin, languages } = program
  const model = { ...artifact(program), languages: languages.map(({ code }) => code) }
  return {
    ...artifact(program),
    models: [model],
    supports_transcript_streaming: listensMeanwhile(plugin),
  }
}

function speakingProgram(program: Program): object {
  const voices = program.voices.map(({ id, name, language }) => ({
    ...artifact(program, id, name),
    languages: [language],
    speakers: null,
  }))
  return { ...artifact(program), voices, supports_synthesize_streaming: true }
}

/** Without a language, a model is taken for one of all languages. */
function answeringProgram(program: Program): object {
  const named = program.models.map(({ id, name }) => ({
    ...artifact(program, id, name ?? id),
    languages: [],
  }))
  return {
    ...artifact(program),
    models: named.length > 0 ? named : [{ ...artifact(program), languages: [] }],
    supports_handled_streaming: true,
    supports_home_control: false,
  }
}

/** What everything in a list has. */
function artifact({ plugin, url }: Program, name = plugin.name, description = descriptionOf(plugin)): object {
  return {
    name,
    description,
    attribution: { name: plugin.author ?? plugin.name, url },
    installed: plugin.loaded,
    version: plugin.version,
  }
}

function descriptionOf({ displayName, description, name }: PluginSummary): string {
  return displayName ?? description ?? name
}
