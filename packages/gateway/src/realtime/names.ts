import { modelNotFound, RequestError } from '../errors.js'
import type { Exchange } from '../exchange.js'
import { defaultSettings, type SessionSettings } from './settings.js'

/** Names of OpenAI’s own models, which clients send who can’t be told another: the active plugins answer. */
const listens = /^(whisper-|gpt-.*(transcribe|whisper))/
const answers = /^gpt-(.*-)?realtime/

/** Which plugins listen, answer and speak in a session. */
export class ModelNames {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  /** What a session begins with, as its address says. @throws RequestError 404 where there is no such model. */
  async initial(): Promise<SessionSettings> {
    const { query, directory } = this.#exchange
    const model = query.get('model') || undefined
    const isTranscription = query.get('intent') === 'transcription'
    if (isTranscription || (await this.#listens(model)))
      return this.checked({
        ...defaultSettings,
        type: 'transcription',
        transcription: model === undefined ? {} : { model },
      })
    const type = model === undefined && directory.llm.active() === undefined ? 'transcription' : 'realtime'
    return this.checked({ ...defaultSettings, type, model })
  }

  /** Settings whose models there are. @throws RequestError. */
  async checked(settings: SessionSettings): Promise<SessionSettings> {
    const { directory } = this.#exchange
    const ears = this.ears(settings.transcription?.model)
    if (ears !== undefined && (await directory.stt.find(ears)).model !== undefined) throw modelNotFound(ears)
    const { model } = settings
    if (model === undefined) return settings
    if (this.#isOpenAi(model, answers)) return { ...settings, model: undefined }
    await directory.llm.find(model)
    return settings
  }

  /** What listens; undefined: the active plugin. */
  ears(asked: string | undefined): string | undefined {
    const { realtimeEars } = this.#exchange.settings
    return asked === undefined || this.#isOpenAi(asked, listens) ? realtimeEars : asked
  }

  /** What speaks; undefined: the active plugin. */
  mouth(): string | undefined {
    return this.#exchange.settings.realtimeVoice
  }

  /** Whether a model is one that listens. */
  async #listens(model: string | undefined): Promise<boolean> {
    if (model === undefined) return false
    if (this.#isOpenAi(model, listens)) return true
    try {
      await this.#exchange.directory.stt.find(model)
      return true
    } catch (error) {
      if (error instanceof RequestError) return false
      throw error
    }
  }

  #isOpenAi(model: string, names: RegExp): boolean {
    const { strictModels, aliases } = this.#exchange.settings
    return !strictModels && !aliases.has(model) && names.test(model)
  }
}
