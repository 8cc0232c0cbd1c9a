import type { PluginHandle, PluginHost, PluginSummary } from '@appfactory/host'
import {
  type ContractClass,
  contractBindingOf,
  isPluginError,
  LLMContract,
  type Model,
  PluginStatus,
  STTContract,
  TTSContract,
} from '@appfactory/sdk'
import { modelNotFound, RequestError } from './errors.js'
import type { Settings } from './options.js'

/** What the name of a model stands for. */
export interface Target<Contract> {
  /** As the client called it. */
  id: string
  handle: PluginHandle<Contract>
  /** One of those that the plugin has. Default: its own choice. */
  model: string | undefined
}

/** A model as a list shows it. */
export interface ListedModel {
  id: string
  owner: string
  /** Such as tts. */
  contract: string
}

/** Names of plugins, as manifests may have them: nothing else is looked up. */
const pluginName = /^[a-z][a-z0-9]*([_-][a-z0-9]+)*$/
const longestName = 214

/** What clients ask for who can't be told another name. The active plugin of the contract answers. */
const wellKnown: Readonly<Record<string, readonly string[]>> = {
  tts: ['tts-1', 'tts-1-hd', 'gpt-4o-mini-tts'],
  stt: ['whisper-1', 'gpt-4o-transcribe', 'gpt-4o-mini-transcribe'],
}

/** Finds plugins by the names of models: aliases, `PLUGIN` and `PLUGIN/MODEL`. A name stays the same over a swap. */
export class Directory {
  readonly llm: Handles<typeof LLMContract>
  readonly tts: Handles<typeof TTSContract>
  readonly stt: Handles<typeof STTContract>
  /** In seconds of Unix time: what the lists of models say. */
  readonly created = Math.floor(Date.now() / 1000)
  readonly #host: PluginHost
  readonly #settings: Settings
  #listing: Promise<PluginSummary[]> | undefined

  constructor(host: PluginHost, settings: Settings) {
    this.#host = host
    this.#settings = settings
    this.llm = new Handles(host, settings, LLMContract)
    this.tts = new Handles(host, settings, TTSContract)
    this.stt = new Handles(host, settings, STTContract)
    host.on('status', this.#forget).on('swap', this.#forget)
  }

  /** All names of models: those of loaded plugins, of their models, and the aliases. */
  async list(): Promise<ListedModel[]> {
    const plugins = await this.plugins()
    const own = await Promise.all(
      plugins.map(async ({ name, contract, author }): Promise<ListedModel[]> => {
        const common = { owner: author ?? 'appfactory', contract: contract ?? 'unknown' }
        const models = contract === 'llm' ? await this.llm.modelsOf(name) : []
        return [{ id: name, ...common }, ...models.map(({ id }) => ({ id: `${name}/${id}`, ...common }))]
      }),
    )
    const known = own.flat()
    const aliases = [...this.#settings.aliases].flatMap(([id, target]) => {
      const [plugin = ''] = target.split('/', 1)
      const model = known.find((each) => each.id === target) ?? known.find((each) => each.id === plugin)
      return model ? [{ ...model, id }] : []
    })
    const names = new Set(aliases.map(({ id }) => id))
    return [...known.filter(({ id }) => !names.has(id)), ...aliases]
  }

  /** The plugins that are loaded, or being started. Who asks meanwhile gets the same answer. */
  async plugins(): Promise<PluginSummary[]> {
    this.#listing ??= this.#host.list().finally(() => {
      this.#listing = undefined
    })
    return (await this.#listing).filter(
      ({ loaded, status }) => loaded || status === PluginStatus.INITIALIZING,
    )
  }

  /** What listens for models that don’t, if anything does. */
  async listener(): Promise<PluginHandle<STTContract> | undefined> {
    const name = this.#host.active('stt')
    return name === undefined ? undefined : (await this.stt.find(name)).handle
  }

  /** Stops listening to the host. */
  close(): void {
    this.#host.off('status', this.#forget).off('swap', this.#forget)
  }

  readonly #forget = (): void => {
    for (const handles of [this.llm, this.tts, this.stt]) handles.forget()
  }
}

/** The handles of the plugins of one contract, each made once. */
export class Handles<Contract extends ContractClass> {
  readonly #host: PluginHost
  readonly #settings: Settings
  readonly #contract: Contract
  readonly #name: string
  readonly #handles = new Map<string, Promise<PluginHandle<InstanceType<Contract>>>>()
  readonly #models = new Map<string, Promise<readonly Model[]>>()

  constructor(host: PluginHost, settings: Settings, contract: Contract) {
    this.#host = host
    this.#settings = settings
    this.#contract = contract
    this.#name = contractBindingOf(contract)?.name ?? ''
  }

  /** What answers for a model. @throws RequestError 404 where there is none, 400 where it is of another contract. */
  async find(id: string): Promise<Target<InstanceType<Contract>>> {
    const [plugin, model] = split(this.#named(id) ?? id)
    const found = await this.#handle(plugin, id)
    if (found) return { id, handle: found, model }
    const { fallbackModel } = this.#settings
    const isFallback = this.#name === 'llm' && fallbackModel !== undefined && fallbackModel !== id
    if (!isFallback) throw modelNotFound(id)
    return { ...(await this.find(fallbackModel)), id }
  }

  /** The models of a plugin that has such; none where it can’t tell. */
  modelsOf(plugin: string): Promise<readonly Model[]> {
    const known = this.#models.get(plugin)
    if (known) return known
    const asked = this.#askModels(plugin).catch(() => {
      this.#models.delete(plugin)
      return []
    })
    this.#models.set(plugin, asked)
    return asked
  }

  /** Handles are cheap to make again; what they say of models may have changed. */
  forget(): void {
    this.#handles.clear()
    this.#models.clear()
  }

  /** `PLUGIN` or `PLUGIN/MODEL` that stands for another name. */
  #named(id: string): string | undefined {
    const alias = this.#settings.aliases.get(id)
    if (alias !== undefined) return alias
    const isWellKnown = !this.#settings.strictModels && wellKnown[this.#name]?.includes(id)
    return isWellKnown ? this.#host.active(this.#name) : undefined
  }

  async #askModels(plugin: string): Promise<readonly Model[]> {
    const handle = await this.#handle(plugin, plugin)
    return handle && 'getModels' in handle && typeof handle.getModels === 'function'
      ? await handle.getModels()
      : []
  }

  /** Undefined: no such plugin is loaded. */
  async #handle(plugin: string, id: string): Promise<PluginHandle<InstanceType<Contract>> | undefined> {
    if (plugin.length > longestName || !pluginName.test(plugin)) return undefined
    const known = this.#handles.get(plugin)
    const handle = known ?? this.#host.get(this.#contract, plugin)
    if (!known) this.#handles.set(plugin, handle)
    try {
      return await handle
    } catch (error) {
      this.#handles.delete(plugin)
      if (isPluginError(error, 'CONTRACT_MISMATCH')) throw await this.#otherContract(plugin, id)
      if (isPluginError(error, 'PLUGIN_NOT_FOUND')) return undefined
      if (isPluginError(error, 'PLUGIN_NOT_READY') && (await this.#isUnloaded(plugin))) return undefined
      throw error
    }
  }

  async #isUnloaded(plugin: string): Promise<boolean> {
    return (await this.#host.health(plugin)).status === PluginStatus.UNLOADED
  }

  async #otherContract(plugin: string, id: string): Promise<RequestError> {
    const { contract } = await this.#host.get(plugin)
    const message = `The model ${JSON.stringify(id)} is of contract ${contract}, and this needs one of ${this.#name}`
    return new RequestError(400, message, { param: 'model', code: 'model_not_supported' })
  }
}

function split(id: string): [plugin: string, model: string | undefined] {
  const at = id.indexOf('/')
  return at < 0 ? [id, undefined] : [id.slice(0, at), id.slice(at + 1)]
}
