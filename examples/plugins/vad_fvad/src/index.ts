import { setImmediate as letOthersRun } from 'node:timers/promises'
import {
  type CallContext,
  decodeWav,
  type HealthStatus,
  type ImplementationOf,
  PluginError,
  toMono16,
} from '@appfactory/sdk'
import { z } from 'zod'
import { type Segment, VADContract, type VADMethods } from './contract.js'
import { Detector, detectorRate, toDetectorRate } from './detector.js'
import { segmentsOf } from './segments.js'

const configSchema = z.strictObject({
  aggressiveness: z
    .int()
    .min(0)
    .max(3)
    .default(2)
    .describe('0 takes much for speech, 3 little: for noisy places.'),
  frame_ms: z
    .union([z.literal(10), z.literal(20), z.literal(30)])
    .default(30)
    .describe('How much is looked at at once, in ms.'),
  min_speech_ms: z.number().min(0).default(90).describe('What is shorter is a click, not speech.'),
  min_silence_ms: z
    .number()
    .min(0)
    .default(300)
    .describe('What is shorter is a pause, not the end of speech.'),
})

export type FvadConfig = z.output<typeof configSchema>

/** Voice activity detection with WebRTC's detector. `implements` has TypeScript check the methods against the contract. */
export default class FvadPlugin extends VADContract<FvadConfig> implements ImplementationOf<VADMethods> {
  /** Instead of `config_schema` in manifest.json: the SDK checks with it and fills in defaults before initialize(). */
  static readonly configSchema = configSchema

  #config = configSchema.parse({})
  #detector: Promise<Detector> | undefined

  override initialize(config: FvadConfig): void {
    this.#config = config
  }

  override shutdown(): void {
    this.#detector = undefined
  }

  override healthCheck(): HealthStatus {
    return { status: this.status, details: { engine_loaded: this.#detector !== undefined } }
  }

  async detect({ audio }: { audio: Uint8Array }, context: CallContext) {
    const { samples, durationMs } = read(audio)
    const segments: Segment[] = []
    for await (const segment of this.#segments(samples, context.signal)) segments.push(segment)
    const speechMs = segments.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0)
    return { segments, speechMs, durationMs }
  }

  async *detectStream(
    { audio }: { audio: Uint8Array },
    context: CallContext,
  ): AsyncGenerator<Segment, void, undefined> {
    yield* this.#segments(read(audio).samples, context.signal)
  }

  async *#segments(samples: Int16Array, signal: AbortSignal): AsyncGenerator<Segment, void, undefined> {
    const { aggressiveness, frame_ms, min_speech_ms, min_silence_ms } = this.#config
    const detector = await this.#ensureDetector()
    const frames = detector.framesOf(samples, { frameMs: frame_ms, aggressiveness })
    const settings = { frameMs: frame_ms, minSpeechMs: min_speech_ms, minSilenceMs: min_silence_ms }
    for (const segment of segmentsOf(frames, settings)) {
      // Lets a cancellation arrive, and health checks be answered.
      await letOthersRun()
      signal.throwIfAborted()
      yield segment
    }
  }

  #ensureDetector(): Promise<Detector> {
    this.#detector ??= Detector.load()
    return this.#detector
  }
}

function read(audio: Uint8Array): { samples: Int16Array; durationMs: number } {
  const wav = decodeWav(audio)
  if (!wav) throw new PluginError('INVALID_PARAMS', 'audio: not a WAV file; send uncompressed WAV')
  const samples = toDetectorRate(toMono16(wav), wav.sampleRate)
  return { samples, durationMs: (samples.length * 1000) / detectorRate }
}
