import {
  type SpeechModelV3CallOptions,
  type SpeechModelV4CallOptions,
  type Experimental_SpeechModelV4StreamOptions as StreamOptions,
  type Experimental_SpeechModelV4StreamPart as StreamPart,
  UnsupportedFunctionalityError,
} from '@ai-sdk/provider'
import type { PluginSystem } from '@appfactory/host'
import {
  type AudioChunk,
  decodeWav,
  encodeWav,
  type SynthesisOptions,
  type SynthesisResult,
  TTSContract,
  toMono16,
} from '@appfactory/sdk'
import { type Call, toAiError } from './errors.js'
import { GivenOptions } from './given-options.js'
import { metadataOf, toJson } from './json.js'
import { type ModelId, parseModelId } from './model-id.js'
import type { Speech, Warning } from './parts.js'
import { streamOfPieces } from './piece-stream.js'

type CallOptions = SpeechModelV3CallOptions | SpeechModelV4CallOptions
type Settings = Pick<CallOptions, 'speed' | 'language' | 'instructions' | 'providerOptions' | 'abortSignal'>

/** A speech model of either version of the specification. It streams too: `ai` 7 looks for `doStream`, `ai` 6 does not. */
export function speechModel<Version extends 'v3' | 'v4'>(version: Version, host: PluginSystem, id: string) {
  const modelId = parseModelId(id)
  return {
    specificationVersion: version,
    provider: 'appfactory.speech',
    modelId: id,
    doGenerate: (options: CallOptions) => generate(host, modelId, options),
    doStream: (options: StreamOptions) => stream(host, modelId, options),
  }
}

async function generate(host: PluginSystem, modelId: ModelId, options: CallOptions): Promise<Speech> {
  const { text, voice, outputFormat } = options
  const call = callOf(modelId, 'synthesize', options.abortSignal)
  try {
    options.abortSignal?.throwIfAborted()
    const tts = await host.get(TTSContract, modelId.plugin)
    const settings = { ...settingsOf(options, modelId), format: formatOf(outputFormat) }
    const result = inFormat(await tts.synthesize(text, voice, settings), settings.format)
    const { audio: _audio, warnings: told = [], usage, ...about } = result
    return {
      audio: fileOf(result, settings.format),
      warnings: [
        ...(await warningsFor(host, tts.name, options)),
        ...otherFormat(result, outputFormat),
        ...told.map((message): Warning => ({ type: 'other', message })),
      ],
      ...(usage ? { usage: toJson(usage) } : {}),
      response: { timestamp: new Date(), modelId: modelId.id },
      ...metadataOf(about),
    }
  } catch (error) {
    throw toAiError(error, call)
  }
}

/** The AI SDK's names of formats that the contract names otherwise. */
const formats: Readonly<Record<string, string>> = { pcm: 'pcm_s16le', mpeg: 'mp3', 'x-wav': 'wav' }

function formatOf(name: string | undefined): string | undefined {
  return name === undefined ? undefined : (formats[name] ?? name)
}

/** Whoever wants bare samples would take the header of a WAV file for sound. */
function inFormat(result: SynthesisResult, wanted: string | undefined): SynthesisResult {
  const wav = wanted === 'pcm_s16le' && result.format === 'wav' ? decodeWav(result.audio) : undefined
  if (!wav) return result
  const { sampleRate } = wav
  return { ...result, audio: bytesOf(toMono16(wav)), format: 'pcm_s16le', sampleRate, channels: 1 }
}

/** A plugin that does not make what was asked for makes something else. */
function otherFormat({ format }: SynthesisResult, wanted: string | undefined): Warning[] {
  const made = format === 'pcm_s16le' && formatOf(wanted) !== format ? 'wav' : format
  if (wanted === undefined || formatOf(wanted) === made) return []
  // Opus comes in Ogg.
  if (wanted === 'opus' && made === 'ogg') return []
  return [{ type: 'unsupported', feature: 'outputFormat', details: `The plugin made ${made}, not ${wanted}` }]
}

/** A file, unless bare samples were asked for: without a header nobody knows what they are. */
function fileOf(
  { audio, format, sampleRate, channels }: SynthesisResult,
  wanted: string | undefined,
): Uint8Array {
  if (format !== 'pcm_s16le' || wanted === 'pcm_s16le') return audio
  return encodeWav(samplesOf(audio), { sampleRate, channels })
}

/** Copied: samples must begin at an even byte. */
function samplesOf(audio: Uint8Array): Int16Array {
  return new Int16Array(audio.slice(0, audio.length - (audio.length % 2)).buffer)
}

async function stream(host: PluginSystem, modelId: ModelId, options: StreamOptions) {
  const call = callOf(modelId, 'synthesize_stream', options.abortSignal)
  const text = options.text.getReader()
  // Whoever takes the reader owns the text: its model must not go on for nobody.
  const release = (reason: unknown): void => void text.cancel(reason).catch(() => {})
  try {
    options.abortSignal?.throwIfAborted()
    const tts = await host.get(TTSContract, modelId.plugin)
    const warnings = await warningsFor(host, tts.name, options)
    const settings = { ...settingsOf(options, modelId), ...soundOf(options.outputFormat) }
    const pieces = tts.synthesizeStream(textOf(text, options.voice), options.voice, settings)
    const failed = (error: unknown): never => {
      throw toAiError(error, call)
    }
    return { stream: partsOf(pieces[Symbol.asyncIterator](), warnings, failed, release) }
  } catch (error) {
    release(error)
    throw toAiError(error, call)
  }
}

function partsOf(
  pieces: AsyncIterator<AudioChunk>,
  warnings: Warning[],
  fail: (error: unknown) => never,
  release: (reason: unknown) => void,
): ReadableStream<StreamPart> {
  let characters = 0
  return streamOfPieces<AudioChunk, StreamPart>({
    pieces,
    begin: [{ type: 'stream-start', warnings }],
    map: (piece) => {
      characters += piece.usage?.characters ?? piece.text?.length ?? 0
      return [audioPart(piece)]
    },
    end: () => [{ type: 'finish', usage: { inputCharacters: characters } }],
    fail,
    release,
  })
}

/** Samples without the header of each piece, so that pieces follow each other without a click. */
function audioPart({ audio, format, sampleRate, channels, text, words }: AudioChunk): StreamPart {
  const about = metadataOf({ text, words })
  const pcm = (samples: Uint8Array, rate: number): StreamPart => ({
    ...{ type: 'audio', audio: samples, audioFormat: { type: 'audio/pcm', rate } },
    ...about,
  })
  const wav = format === 'wav' ? decodeWav(audio) : undefined
  if (wav) return pcm(bytesOf(toMono16(wav)), wav.sampleRate)
  if (format !== 'pcm_s16le')
    return { type: 'audio', audio, audioFormat: { type: mediaTypes[format] ?? `audio/${format}` }, ...about }
  if (channels === 1) return pcm(audio, sampleRate)
  const samples = { sampleRate, channels, bitsPerSample: 16, float: false, data: audio }
  return pcm(bytesOf(toMono16(samples)), sampleRate)
}

const mediaTypes: Readonly<Record<string, string>> = { mp3: 'audio/mpeg' }

function bytesOf({ buffer, byteOffset, byteLength }: Int16Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

/** The text as it arrives. The contract has one voice for all of it. */
async function* textOf(
  reader: ReadableStreamDefaultReader<{ text: string; voice?: string }>,
  voice: string | undefined,
): AsyncGenerator<string> {
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    if (value.voice !== undefined && value.voice !== voice) throw otherVoice(value.voice)
    yield value.text
  }
}

function otherVoice(voice: string): UnsupportedFunctionalityError {
  const functionality = 'a voice of its own for a part of the text'
  const message = `voice: a part of the text asks for "${voice}", and a plugin speaks all of it with one voice; name it in the call`
  return new UnsupportedFunctionalityError({ functionality, message })
}

/** Samples are made here of WAV, so that a plugin that makes nothing else can stream them. */
function soundOf(wanted: StreamOptions['outputFormat']): Pick<SynthesisOptions, 'format' | 'sampleRate'> {
  if (wanted === undefined) return {}
  const [, name = ''] = wanted.type.split('/')
  const rate = wanted.rate === undefined ? {} : { sampleRate: wanted.rate }
  return name === 'pcm' ? rate : { format: formatOf(name), ...rate }
}

function settingsOf(options: Settings, { model }: ModelId): SynthesisOptions {
  const given = new GivenOptions(options.providerOptions)
  const { speed, language, instructions, abortSignal } = options
  const textType = given.string('textType')
  return {
    ...given.callOptions(abortSignal),
    ...{ speed, language: language === 'auto' ? undefined : language, instructions },
    ...{
      sampleRate: given.number('sampleRate'),
      pitch: given.number('pitch'),
      volume: given.number('volume'),
    },
    ...{ wordTimestamps: given.boolean('wordTimestamps') },
    ...(textType === 'ssml' ? { textType } : {}),
    ...given.rest(model),
  }
}

/** Every plugin gets the instructions; few know what to do with them, and their manifests say so. */
async function warningsFor(
  host: PluginSystem,
  plugin: string,
  { instructions }: Settings,
): Promise<Warning[]> {
  if (instructions === undefined) return []
  const found = (await host.list()).find(({ name }) => name === plugin)
  return found?.capabilities.includes('instructions')
    ? []
    : [{ type: 'unsupported', feature: 'instructions' }]
}

function callOf({ id, plugin }: ModelId, method: string, signal: AbortSignal | undefined): Call {
  return { modelId: id, modelType: 'speechModel', plugin, method, signal }
}
