import type { PluginHandle, PluginSummary, PluginSystem } from '@appfactory/host'
import { handleWith } from '@appfactory/host/internal'
import {
  type ContractClass,
  type ContractDescriptor,
  contractBindingOf,
  EmbeddingContract,
  isPluginError,
  LLMContract,
  type Model,
  PluginStatus,
  STTContract,
  TTSContract,
} from '@appfactory/sdk'
import { z } from 'zod'
import { modelNotFound, RequestError } from './errors.js'
import { AliasFallbacks } from './fallbacks.js'
import { type Access, everything, mayUse, mayUseContract } from './keys.js'
import { type AliasTarget, isPluginName, split } from './names.js'
import type { Settings } from './options.js'

/** What the name of a model stands for. */
export interface Target<Contract> {
  /** As the client called it. */
  id: string
  handle: PluginHandle<Contract>
  /** One of those that the plugin has. Default: its own choice. */
  model: string | undefined
  /** What speaks where the client asks for no voice of the plugin. Default: its own choice. */
  voice: string | undefined
}

/** A model as a list shows it. */
export interface ListedModel {
  id: string
  owner: string
  /** Such as tts. */
  contract: string
}

/** A loaded plugin and the methods of its contract. */
export interface PluginDescription extends Omit<PluginSummary, 'contract'> {
  contract: ContractDescriptor
}

/** What clients ask for who can't be told another name. The active plugin of the contract answers. */
const wellKnown: Readonly<Record<string, readonly string[]>> = {
  tts: ['tts-1', 'tts-1-hd', 'gpt-4o-mini-tts'],
  stt: ['whisper-1', 'gpt-4o-transcribe', 'gpt-4o-mini-transcribe'],
}

/** What a plugin of the contract `vad` answers, on the wire. */
const speechTable = z.looseObject({ segments: z.array(z.looseObject({ end_ms: z.number() })) })

/** Finds plugins by the names of models: aliases, `PLUGIN` and `PLUGIN/MODEL`. A name stays the same over a swap. */
export class Directory {
  readonly llm: Handles<typeof LLMContract>
  readonly tts: Handles<typeof TTSContract>
  readonly stt: Handles<typeof STTContract>
  readonly embedding: Handles<typeof EmbeddingContract>
  /** In seconds of Unix time: what the lists of models say. */
  readonly created = Math.floor(Date.now() / 1000)
  readonly host: PluginSystem
  readonly #descriptions = new Map<string, Promise<PluginDescription | undefined>>()
  readonly #settings: Settings
  readonly #access: Access
  readonly #views = new Map<Access, Directory>()
  readonly #fallbacks: AliasFallbacks
  /** Whether another plugin may answer than the first one of a fallback. */
  readonly mayFallBack: boolean
  #firstOnly: Directory | undefined
  #listing: Promise<PluginSummary[]> | undefined

  constructor(host: PluginSystem, settings: Settings, view: Partial<View> = {}) {
    const { aliases } = settings
    const { access = everything, mayFallBack = true, fallbacks = new AliasFallbacks(host, aliases) } = view
    this.host = host
    this.#settings = settings
    this.#access = access
    this.mayFallBack = mayFallBack
    this.#fallbacks = fallbacks
    const whole = { access, mayFallBack, fallbacks }
    this.llm = new Handles(host, settings, LLMContract, whole)
    this.tts = new Handles(host, settings, TTSContract, whole)
    this.stt = new Handles(host, settings, STTContract, whole)
    this.embedding = new Handles(host, settings, EmbeddingContract, whole)
  }

  /** Listens to the host, until it is closed. */
  open(): this {
    this.host.on('status', this.#forget).on('swap', this.#forget)
    return this
  }

  /** The same, for who may use only some of it: the rest is not there. */
  seenWith(access: Access): Directory {
    const known = this.#views.get(access)
    if (known) return known
    const view = this.#view({ access })
    this.#views.set(access, view)
    return view
  }

  /** The same, where no other plugin than the first one of a fallback may answer. */
  withoutFallback(): Directory {
    this.#firstOnly ??= this.#view({ mayFallBack: false })
    return this.#firstOnly
  }

  #view(other: Partial<View>): Directory {
    const own = { access: this.#access, mayFallBack: this.mayFallBack, fallbacks: this.#fallbacks }
    return new Directory(this.host, this.#settings, { ...own, ...other })
  }

  /** All names of models: those of loaded plugins, of their models, and the aliases. */
  async list(): Promise<ListedModel[]> {
    const plugins = (await this.#loaded()).filter(({ name }) => isPluginName(name))
    const own = await Promise.all(
      plugins.map(async ({ name, contract, author }): Promise<ListedModel[]> => {
        const common = { owner: author ?? 'appfactory', contract: contract ?? 'unknown' }
        const models =
          contract === 'llm' || contract === 'embedding' ? await this[contract].modelsOf(name) : []
        return [{ id: name, ...common }, ...models.map(({ id }) => ({ id: `${name}/${id}`, ...common }))]
      }),
    )
    const known = own.flat()
    const modelOf = ({ name }: AliasTarget): ListedModel | undefined => {
      const [plugin] = split(name)
      return known.find((each) => each.id === name) ?? known.find((each) => each.id === plugin)
    }
    const aliases = [...this.#settings.aliases].flatMap(([id, targets]) => {
      const model = targets.map(modelOf).find((each) => each !== undefined)
      return model ? [{ ...model, id }] : []
    })
    const names = new Set(aliases.map(({ id }) => id))
    const all = [...known.filter(({ id }) => !names.has(id)), ...aliases]
    return all.filter(({ id, contract }) =>
      mayUseTargets(this.#access, id, targetsOf(id, this.#settings), contract),
    )
  }

  /** The plugins that are loaded, or being started. */
  async plugins(): Promise<PluginSummary[]> {
    const loaded = await this.#loaded()
    return loaded.filter(({ name, contract }) => isPluginName(name) && mayUse(this.#access, [name], contract))
  }

  /** Stops listening to the host. */
  close(): void {
    this.#fallbacks.close()
    this.host.off('status', this.#forget).off('swap', this.#forget)
  }

  /** Who asks meanwhile gets the same answer. */
  async #loaded(): Promise<PluginSummary[]> {
    this.#listing ??= this.host.list().finally(() => {
      this.#listing = undefined
    })
    return (await this.#listing).filter(
      ({ loaded, status }) => loaded || status === PluginStatus.INITIALIZING,
    )
  }

  /** What listens for models that don’t, if anything does. */
  async listener(): Promise<PluginHandle<STTContract> | undefined> {
    const name = this.stt.active()
    return name === undefined ? undefined : (await this.stt.find(name)).handle
  }

  /**
   * Most tokens of an answer for which a client names no bound, so that none is cut in silence: what the operator says, else all that the model
   * has room for. Undefined where the plugin does not tell.
   */
  async mostTokens(plugin: string, model: string | undefined): Promise<number | undefined> {
    const { maxTokens } = this.#settings
    if (maxTokens !== undefined) return maxTokens
    const models = await this.llm.modelsOf(plugin)
    const length = (model === undefined ? models[0] : models.find(({ id }) => id === model))?.contextLength
    return length !== undefined && Number.isInteger(length) && length > 0 ? length : undefined
  }

  /** What speaks for models that don’t, if anything does that may be used. */
  async speaker(): Promise<Target<TTSContract> | undefined> {
    const name = this.tts.active()
    const isThere = name !== undefined && mayUse(this.#access, [name], 'tts')
    return isThere ? this.tts.find(name) : undefined
  }

  /** Whether there is a plugin that tells speech from silence: one of the contract `vad`. */
  hasSpeechDetector(): boolean {
    return this.host.active('vad') !== undefined
  }

  /** Where the last speech of a WAV file ends, in ms; 0 where nobody speaks. @throws Where the plugin fails, or is of another contract of that name. */
  async lastSpeechMs(wav: Uint8Array): Promise<number> {
    const plugin = this.host.active('vad') ?? ''
    const audio = Buffer.from(wav.buffer, wav.byteOffset, wav.length).toString('base64')
    const { segments } = speechTable.parse(await this.host.call(plugin, 'detect', { audio_b64: audio }))
    return Math.max(0, ...segments.map(({ end_ms }) => end_ms))
  }

  /** The words of what a plugin can do beyond its contract, and its optional methods. */
  async capabilitiesOf(plugin: string): Promise<readonly string[]> {
    return (await this.#loaded()).find(({ name }) => name === plugin)?.capabilities ?? []
  }

  /** What a plugin is and what it can do. Undefined: no such plugin is loaded. One that is being started is waited for. */
  describe(plugin: string): Promise<PluginDescription | undefined> {
    const known = this.#descriptions.get(plugin)
    if (known || !isPluginName(plugin)) return known ?? Promise.resolve(undefined)
    const asked = this.#describe(plugin)
    this.#descriptions.set(plugin, asked)
    // Only what was found is kept.
    const forget = (): void => void this.#descriptions.delete(plugin)
    asked.then((found) => found ?? forget(), forget)
    return asked
  }

  /** All plugins that are loaded. One that can’t be described, because it is in quarantine say, is left out. */
  async descriptions(): Promise<PluginDescription[]> {
    const names = (await this.plugins()).map(({ name }) => name)
    const found = await Promise.all(names.map((name) => this.describe(name).catch(() => undefined)))
    return found.filter((plugin) => plugin !== undefined)
  }

  async #describe(plugin: string): Promise<PluginDescription | undefined> {
    // Only this tells that it is loaded: `describe` would start it.
    if (!(await ifLoaded(this.host, plugin, this.host.get(plugin)))) return undefined
    const summary = (await this.plugins()).find(({ name }) => name === plugin)
    return summary && { ...summary, contract: (await this.host.describe(plugin)).contract }
  }

  readonly #forget = (): void => {
    this.#descriptions.clear()
    for (const handles of [this.llm, this.tts, this.stt, this.embedding]) handles.forget()
    // Keys may have been replaced: those that are left make theirs again.
    this.#views.clear()
    this.#firstOnly = undefined
  }
}

/** What a directory shows. */
interface View {
  access: Access
  mayFallBack: boolean
  fallbacks: AliasFallbacks
}

/** The handles of the plugins of one contract, each made once. */
export class Handles<Contract extends ContractClass> {
  readonly #host: PluginSystem
  readonly #settings: Settings
  readonly #contract: Contract
  readonly #view: View
  readonly #name: string
  readonly #handles = new Map<string, Promise<PluginHandle<InstanceType<Contract>>>>()
  readonly #models = new Map<string, Promise<readonly Model[]>>()

  constructor(host: PluginSystem, settings: Settings, contract: Contract, view: View) {
    this.#host = host
    this.#settings = settings
    this.#contract = contract
    this.#view = view
    this.#name = contractBindingOf(contract)?.name ?? ''
  }

  /** What answers for a model. @throws RequestError 404 where there is none, 400 where it is of another contract. */
  async find(id: string): Promise<Target<InstanceType<Contract>>> {
    const targets = this.#named(id)
    const isThere = mayUseTargets(this.#view.access, id, targets, this.#name)
    const found = isThere ? await this.#target(id, targets) : undefined
    if (found) return found
    const { fallbackModel } = this.#settings
    const isFallback = this.#name === 'llm' && fallbackModel !== undefined && fallbackModel !== id
    if (!isFallback) throw modelNotFound(id)
    return { ...(await this.find(fallbackModel)), id }
  }

  /** The plugin that answers for the contract: the one of its plugins that was loaded last. */
  active(): string | undefined {
    return this.#host.active(this.#name)
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

  /** Of several plugins, the first one that works; where that must not be, the first one. */
  async #target(
    id: string,
    targets: readonly AliasTarget[],
  ): Promise<Target<InstanceType<Contract>> | undefined> {
    const { mayFallBack, fallbacks } = this.#view
    const [first, ...others] = targets
    if (!first) return undefined
    const [plugin, model] = split(first.name)
    if (others.length > 0 && mayFallBack) {
      const handle = await this.#handle(fallbacks.nameOf(id, targets), id)
      if (!handle) fallbacks.checkMade(id)
      return handle && { id, handle, model: undefined, voice: undefined }
    }
    const handle = await this.#handle(plugin, id)
    return handle && { id, handle, model, voice: first.voice }
  }

  /** What a name stands for; by itself, for itself. */
  #named(id: string): readonly AliasTarget[] {
    const alias = this.#settings.aliases.get(id)
    if (alias) return alias
    const isWellKnown = !this.#settings.strictModels && wellKnown[this.#name]?.includes(id)
    return [{ name: (isWellKnown ? this.active() : undefined) ?? id, voice: undefined }]
  }

  async #askModels(plugin: string): Promise<readonly Model[]> {
    const handle = await this.#handle(plugin, plugin)
    return handle && 'getModels' in handle && typeof handle.getModels === 'function'
      ? await handle.getModels()
      : []
  }

  /** Undefined: no such plugin is loaded. */
  async #handle(plugin: string, id: string): Promise<PluginHandle<InstanceType<Contract>> | undefined> {
    if (!isPluginName(plugin) && !this.#view.fallbacks.has(plugin)) return undefined
    const known = this.#handles.get(plugin)
    const handle = known ?? this.#get(plugin)
    if (!known) {
      this.#handles.set(plugin, handle)
      handle.catch(() => this.#handles.delete(plugin))
    }
    try {
      return await ifLoaded(this.#host, plugin, handle)
    } catch (error) {
      if (isPluginError(error, 'CONTRACT_MISMATCH'))
        throw await this.#otherContract(plugin, id).catch(() => error)
      throw error
    }
  }

  async #get(plugin: string): Promise<PluginHandle<InstanceType<Contract>>> {
    const handle = await this.#host.get(this.#contract, plugin)
    // A fallback of the host knows what its first plugin calls its voices and models.
    return this.#view.mayFallBack ? handle : handleWith(handle, { fallback: false })
  }

  async #otherContract(plugin: string, id: string): Promise<RequestError> {
    const { contract } = await this.#host.get(plugin)
    if (!mayUseContract(this.#view.access, contract)) return modelNotFound(id)
    const message = `The model ${JSON.stringify(id)} is of contract ${contract}, and this needs one of ${this.#name}`
    return new RequestError(400, message, { param: 'model', code: 'model_not_supported' })
  }
}

function targetsOf(id: string, { aliases }: Settings): readonly AliasTarget[] {
  return aliases.get(id) ?? [{ name: id, voice: undefined }]
}

/** Who may use a model, what it stands for, or its plugin may use it; of several plugins, each must be. */
function mayUseTargets(
  access: Access,
  id: string,
  targets: readonly AliasTarget[],
  contract: string | null,
): boolean {
  return targets.every(({ name }) => mayUse(access, [id, name, split(name)[0]], contract))
}

/** The handle of a plugin; undefined where it is not loaded. */
async function ifLoaded<Handle>(
  host: PluginSystem,
  plugin: string,
  handle: Promise<Handle>,
): Promise<Handle | undefined> {
  try {
    return await handle
  } catch (error) {
    if (isPluginError(error, 'PLUGIN_NOT_FOUND')) return undefined
    if (isPluginError(error, 'PLUGIN_NOT_READY') && (await isUnloaded(host, plugin))) return undefined
    throw error
  }
}

async function isUnloaded(host: PluginSystem, plugin: string): Promise<boolean> {
  return (await host.health(plugin)).status === PluginStatus.UNLOADED
}
