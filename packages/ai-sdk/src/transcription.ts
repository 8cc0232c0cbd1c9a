import type {
  Experimental_TranscriptionModelV4StreamOptions as StreamOptions,
  Experimental_TranscriptionModelV4StreamPart as StreamPart,
  TranscriptionModelV3CallOptions,
  TranscriptionModelV4CallOptions,
} from '@ai-sdk/provider'
import type { PluginSystem } from '@appfactory/host'
import {
  type StreamOptions as ListeningOptions,
  STTContract,
  sniffAudio,
  type TranscriptionResult,
  type TranscriptUpdate,
} from '@appfactory/sdk'
import { toBytes } from './bytes.js'
import { type Call, toAiError } from './errors.js'
import { GivenOptions } from './given-options.js'
import { metadataOf, toJson } from './json.js'
import { type ModelId, parseModelId } from './model-id.js'
import type { TimedText, Transcript } from './parts.js'
import { streamOfPieces } from './piece-stream.js'

type CallOptions = TranscriptionModelV3CallOptions | TranscriptionModelV4CallOptions
type Settings = Pick<CallOptions, 'providerOptions' | 'abortSignal'>

/** A transcription model of either version of the specification. It streams too: `ai` 7 looks for `doStream`, `ai` 6 does not. */
export function transcriptionModel<Version extends 'v3' | 'v4'>(
  version: Version,
  host: PluginSystem,
  id: string,
) {
  const modelId = parseModelId(id)
  return {
    specificationVersion: version,
    provider: 'appfactory.transcription',
    modelId: id,
    doGenerate: (options: CallOptions) => generate(host, modelId, options),
    doStream: (options: StreamOptions) => stream(host, modelId, options),
  }
}

async function generate(host: PluginSystem, modelId: ModelId, options: CallOptions): Promise<Transcript> {
  const call = callOf(modelId, 'transcribe', options.abortSignal)
  try {
    options.abortSignal?.throwIfAborted()
    const stt = await host.get(STTContract, modelId.plugin)
    const audio = toBytes(options.audio)
    const { language, ...settings } = settingsOf(options, modelId)
    const asksWords = 'timestampGranularities' in options && options.timestampGranularities?.includes('word')
    const result = await stt.transcribe(audio, language, {
      ...settings,
      ...(asksWords ? { wordTimestamps: true } : {}),
    })
    return { ...answerOf(result, audio), response: { timestamp: new Date(), modelId: modelId.id } }
  } catch (error) {
    throw toAiError(error, call)
  }
}

function answerOf(
  { text, language, words, segments, usage, warnings = [], ...about }: TranscriptionResult,
  audio: Uint8Array,
): Omit<Transcript, 'response'> {
  const durationMs = usage?.audioMs ?? sniffAudio(audio)?.durationMs
  const spoken = words?.map(({ word, startMs, endMs }) => inSeconds({ text: word, startMs, endMs }))
  return {
    text,
    // Words are better than nothing where the engine tells no longer parts.
    segments: segments?.map(inSeconds) ?? spoken ?? [],
    ...(spoken ? { words: spoken } : {}),
    language,
    durationInSeconds: durationMs === undefined ? undefined : durationMs / 1000,
    warnings: warnings.map((message) => ({ type: 'other', message })),
    ...(usage ? { usage: toJson(usage) } : {}),
    ...metadataOf(about),
  }
}

function inSeconds({ text, startMs, endMs }: { text: string; startMs: number; endMs: number }): TimedText {
  return { text, startSecond: startMs / 1000, endSecond: endMs / 1000 }
}

async function stream(host: PluginSystem, modelId: ModelId, options: StreamOptions) {
  const call = callOf(modelId, 'transcribe_stream', options.abortSignal)
  const audio = options.audio.getReader()
  const release = (reason: unknown): void => void audio.cancel(reason).catch(() => {})
  try {
    options.abortSignal?.throwIfAborted()
    const stt = await host.get(STTContract, modelId.plugin)
    const settings = { ...settingsOf(options, modelId), ...soundOf(options.inputAudioFormat) }
    const updates = stt.transcribeStream(chunksOf(audio), settings)
    const failed = (error: unknown): never => {
      throw toAiError(error, call)
    }
    return { stream: partsOf(updates[Symbol.asyncIterator](), settings.language, failed, release) }
  } catch (error) {
    release(error)
    throw toAiError(error, call)
  }
}

function partsOf(
  pieces: AsyncIterator<TranscriptUpdate>,
  language: string | undefined,
  fail: (error: unknown) => never,
  release: (reason: unknown) => void,
): ReadableStream<StreamPart> {
  let text = ''
  return streamOfPieces<TranscriptUpdate, StreamPart>({
    pieces,
    begin: [{ type: 'stream-start', warnings: [] }],
    map: ({ partial, final }) => {
      const news = final === null ? '' : newsIn(final, text)
      text = final ?? text
      return [
        ...(news === '' ? [] : [{ type: 'transcript-final' as const, text: news }]),
        ...(partial ? [{ type: 'transcript-partial' as const, text: partial }] : []),
      ]
    },
    end: () => [{ type: 'finish', text, segments: [], ...(language === undefined ? {} : { language }) }],
    fail,
    release,
  })
}

/** The contract tells all of the final text each time, the AI SDK what is new. */
function newsIn(final: string, before: string): string {
  return (final.startsWith(before) ? final.slice(before.length) : final).trim()
}

async function* chunksOf(
  reader: ReadableStreamDefaultReader<Uint8Array | string>,
): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    yield toBytes(value)
  }
}

/** Only samples need their format told: files have headers. */
function soundOf({
  type,
  rate,
}: StreamOptions['inputAudioFormat']): Pick<ListeningOptions, 'format' | 'sampleRate'> {
  if (type !== 'audio/pcm') return {}
  return { format: 'pcm_s16le', ...(rate === undefined ? {} : { sampleRate: rate }) }
}

function settingsOf({ providerOptions, abortSignal }: Settings, { model }: ModelId): ListeningOptions {
  const given = new GivenOptions(providerOptions)
  return {
    ...given.callOptions(abortSignal),
    ...{ language: given.string('language'), prompt: given.string('prompt') },
    ...{ format: given.string('format'), sampleRate: given.number('sampleRate') },
    ...{ diarization: given.boolean('diarization'), wordTimestamps: given.boolean('wordTimestamps') },
    temperature: given.number('temperature'),
    ...given.rest(model),
  }
}

function callOf({ id, plugin }: ModelId, method: string, signal: AbortSignal | undefined): Call {
  return { modelId: id, modelType: 'transcriptionModel', plugin, method, signal }
}
