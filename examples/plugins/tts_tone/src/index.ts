import {
  encodeWav,
  type HealthStatus,
  PluginError,
  PluginStatus,
  type SynthesisOptions,
  type SynthesisResult,
  TTSContract,
  type Voice,
} from '@appfactory/sdk'
import { isToneVoice, ToneEngine, type ToneVoice, toneVoices } from './tone-engine.js'

/** As `config_schema` in manifest.json says. */
export interface ToneConfig {
  voice?: ToneVoice
  sample_rate?: number
  max_characters?: number
}

/** What goes over to the next version in a hot swap. */
interface ToneState {
  requests: number
  characters: number
}

/** A complete text-to-speech plugin. Its engine makes tones, so that it needs nothing but the SDK. */
export default class ToneTTSPlugin extends TTSContract<ToneConfig> {
  #voice: ToneVoice = 'sine'
  #sampleRate = 24_000
  #maxCharacters = 10_000
  #engine: ToneEngine | undefined
  #state: ToneState = { requests: 0, characters: 0 }

  initialize(config: ToneConfig): void {
    this.#voice = config.voice ?? this.#voice
    this.#sampleRate = config.sample_rate ?? this.#sampleRate
    this.#maxCharacters = config.max_characters ?? this.#maxCharacters
    // The engine is not loaded here: initialize() stays fast, and a plugin that nobody calls costs nothing.
  }

  shutdown(): void {
    this.#engine = undefined
  }

  healthCheck(): HealthStatus {
    const { status } = this
    const works = status === PluginStatus.READY || status === PluginStatus.BUSY
    return {
      status,
      message: works ? 'TTS engine operational' : 'Not ready',
      details: {
        engine_loaded: this.#engine !== undefined,
        voices_count: toneVoices.length,
        requests_processed: this.#state.requests,
        characters_spoken: this.#state.characters,
      },
    }
  }

  synthesize(text: string, voiceId?: string, options: SynthesisOptions = {}): SynthesisResult {
    this.#checkText(text)
    const voice = this.#chooseVoice(voiceId)
    const { speed = 1, volume = 1, sampleRate = this.#sampleRate, format = 'wav' } = options
    if (format !== 'wav') throw new PluginError('INVALID_PARAMS', `format: tts_tone makes wav, not ${format}`)

    const samples = this.#ensureEngine().render(text, { voice, sampleRate, speed, volume })
    this.#state = {
      requests: this.#state.requests + 1,
      characters: this.#state.characters + text.length,
    }
    return {
      audio: encodeWav(samples, { sampleRate }),
      format,
      sampleRate,
      channels: 1,
      durationMs: (samples.length * 1000) / sampleRate,
      voiceId: voice,
      usage: { characters: text.length },
    }
  }

  getVoices(): Voice[] {
    return toneVoices.map((id) => ({
      id,
      name: `${id.charAt(0).toUpperCase()}${id.slice(1)} wave`,
      // "No linguistic content", as BCP 47 puts it.
      language: 'zxx',
      sampleRate: this.#sampleRate,
    }))
  }

  override captureState(): ToneState {
    return this.#state
  }

  override restoreState(state: unknown): void {
    // Another version may have written it: take what is understood, and leave the rest.
    this.#state = { requests: countIn(state, 'requests'), characters: countIn(state, 'characters') }
  }

  #ensureEngine(): ToneEngine {
    this.#engine ??= new ToneEngine()
    return this.#engine
  }

  #checkText(text: string): void {
    if (text.trim() === '') throw new PluginError('TTS_SYNTHESIS_FAILED', 'Text cannot be empty')
    if (text.length > this.#maxCharacters) {
      throw new PluginError(
        'TTS_TEXT_TOO_LONG',
        `Text exceeds maximum length: ${text.length} characters, and ${this.#maxCharacters} are allowed; send it in parts`,
        { limit: this.#maxCharacters, length: text.length },
      )
    }
  }

  #chooseVoice(voiceId: string = this.#voice): ToneVoice {
    if (isToneVoice(voiceId)) return voiceId
    throw new PluginError(
      'TTS_VOICE_NOT_FOUND',
      `There is no voice "${voiceId}"; there is ${toneVoices.join(', ')}`,
      { voices: toneVoices },
    )
  }
}

function countIn(state: unknown, key: keyof ToneState): number {
  if (typeof state !== 'object' || state === null) return 0
  const value: unknown = Reflect.get(state, key)
  return typeof value === 'number' ? value : 0
}
