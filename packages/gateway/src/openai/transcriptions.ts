import type { PluginHandle } from '@appfactory/host'
import {
  isPluginError,
  type STTContract,
  type StreamOptions,
  type TranscriptionResult,
  type TranscriptUpdate,
} from '@appfactory/sdk'
import { parseJson, toSnakeCase } from '@appfactory/sdk/internal'
import type { OpenAI } from 'openai'
import { audioFailure } from '../audio/failure.js'
import { type Recording, recordingOf } from '../audio/recording.js'
import { modelNotFound, RequestError, unsupported, wrongMember } from '../errors.js'
import type { Exchange } from '../exchange.js'
import { type Form, readForm } from '../multipart.js'
import { bodyReader } from '../schema.js'
import { sendStream } from '../stream.js'
import { cuesOf, srtOf, vttOf } from './cues.js'
import { type TranscriptionRequest, transcriptionTable } from './transcriptions.table.js'

const readFields = bodyReader(transcriptionTable)

/** Fields that are lists: each value comes under the name alone, with `[]` or with `[0]`. */
const lists = [
  ...['timestamp_granularities', 'include', 'languages', 'keywords'],
  ...['known_speaker_names', 'known_speaker_references'],
]
const texts = ['model', 'language', 'prompt', 'response_format']
const hints = ['chunkingStrategy', 'languages', 'knownSpeakerNames', 'knownSpeakerReferences'] as const

/** `POST /audio/transcriptions` */
export async function transcribe(exchange: Exchange): Promise<void> {
  const { directory } = exchange
  const form = await readForm(exchange)
  const request = readFields(valuesOf(form))
  const file = fileOf(form)
  if (request.include?.includes('logprobs')) throw unsupported('include', 'plugins do not tell logprobs')
  const { handle, model } = await directory.stt.find(request.model)
  exchange.plugin = handle.name
  if (model !== undefined) throw modelNotFound(request.model)
  const capabilities = (): Promise<readonly string[]> => directory.capabilitiesOf(handle.name)
  const recording = await recordingOf(file, capabilities, exchange).catch((error: unknown) => {
    throw audioFailure(error, 'file')
  })
  const listen: Listening = {
    exchange,
    handle,
    request,
    recording,
    options: optionsOf(exchange, request, recording),
  }
  if (request.stream && request.responseFormat === 'diarized_json') return sendSegments(listen)
  if (request.stream) return sendUpdates(listen)
  const transcript = await transcriptOf(listen)
  // Of a call that has failed, bytes may still be on their way to the plugin.
  form.release()
  sendTranscript(exchange, request, transcript, recording.seconds)
}

/** A request that can be answered. */
interface Listening {
  exchange: Exchange
  handle: PluginHandle<STTContract>
  request: TranscriptionRequest
  recording: Recording
  options: StreamOptions
}

function transcriptOf({ handle, recording, options }: Listening): Promise<TranscriptionResult> {
  const { language, ...rest } = options
  return handle.transcribe(recording.audio, language, rest)
}

/** A form has only texts: what is a number, a list, a flag or an object becomes one. */
function valuesOf({ fields }: Form): object {
  const last = (name: string): string | undefined => fields.get(name)?.at(-1) || undefined
  const [temperature, stream] = [last('temperature'), last('stream')]
  return {
    ...Object.fromEntries(texts.map((name) => [name, last(name)])),
    ...Object.fromEntries(lists.map((name) => [name, listOf(fields, name)])),
    temperature:
      temperature?.trim() && Number.isFinite(Number(temperature)) ? Number(temperature) : temperature,
    stream: flagOf(stream),
    chunking_strategy: strategyOf(fields),
  }
}

/** Clients in Python write it as Python does. */
function flagOf(text: string | undefined): boolean | string | undefined {
  const isTrue = text?.toLowerCase() === 'true'
  return isTrue || text?.toLowerCase() === 'false' ? isTrue : text
}

function listOf(fields: Form['fields'], name: string): string[] | undefined {
  const isPart = (key: string): boolean => key.startsWith(name) && /^(\[\d*\])?$/.test(key.slice(name.length))
  const values = [...fields].flatMap(([key, each]) => (isPart(key) ? each : [])).filter((text) => text !== '')
  return values.length === 0 ? undefined : values
}

/** A name, JSON, or a field for each member: clients differ. */
function strategyOf(fields: Form['fields']): unknown {
  const name = 'chunking_strategy'
  const text = fields.get(name)?.at(-1)
  if (text) return text.startsWith('{') ? jsonOf(text) : text
  const members = [...fields].flatMap(([key, values]) => {
    const [, member] = /^chunking_strategy\[(\w+)\]$/.exec(key) ?? []
    return member === undefined ? [] : [[member, values.at(-1)]]
  })
  return members.length === 0 ? undefined : Object.fromEntries(members)
}

function jsonOf(text: string): unknown {
  try {
    return parseJson(text)
  } catch {
    return text
  }
}

function fileOf({ files, fields }: Form): Buffer {
  const file = files.get('file')
  if (file) return file
  if (fields.has('file')) throw wrongMember('file', 'must be sent as a file: give it a file name')
  throw new RequestError(400, 'file: is required', { param: 'file', code: 'missing_required_parameter' })
}

function optionsOf(exchange: Exchange, request: TranscriptionRequest, { format }: Recording): StreamOptions {
  const { temperature, timestampGranularities, responseFormat, languages = [] } = request
  const { language = languages.length === 1 ? languages[0] : undefined } = request
  const prompt = [request.prompt ?? [], request.keywords?.join(', ') ?? []].flat().join('\n')
  const wordTimestamps = responseFormat === 'verbose_json' && timestampGranularities?.includes('word')
  const told = hints.filter((name) => request[name] !== undefined && !(name === 'languages' && language))
  exchange.tellIgnored(told.map(toSnakeCase))
  const openai = Object.fromEntries(told.map((name) => [toSnakeCase(name), request[name]]))
  return {
    signal: exchange.signal,
    ...(language === undefined ? {} : { language }),
    ...(prompt === '' ? {} : { prompt }),
    ...(format === undefined ? {} : { format }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(wordTimestamps ? { wordTimestamps } : {}),
    ...(responseFormat === 'diarized_json' ? { diarization: true } : {}),
    ...(told.length === 0 ? {} : { providerOptions: { openai } }),
  }
}

function sendTranscript(
  exchange: Exchange,
  request: TranscriptionRequest,
  transcript: TranscriptionResult,
  seconds: number,
): void {
  const { text } = transcript
  const usage = { type: 'duration', seconds } as const
  const format = request.responseFormat ?? 'json'
  if (format === 'text') sendText(exchange, `${text}\n`)
  else if (format === 'srt') sendText(exchange, srtOf(cuesOf(transcript, seconds)))
  else if (format === 'vtt') sendText(exchange, vttOf(cuesOf(transcript, seconds)))
  else if (format === 'verbose_json') exchange.sendJson(verboseBody(request, transcript, seconds))
  else if (format === 'diarized_json') exchange.sendJson(diarizedBody(transcript, seconds))
  else exchange.sendJson({ text, usage } satisfies OpenAI.Audio.Transcription)
}

function sendText(exchange: Exchange, text: string): void {
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' }
  exchange.writeHead(200, { ...headers, 'content-length': Buffer.byteLength(text) })
  exchange.response.end(text)
}

type Verbose = OpenAI.Audio.TranscriptionVerbose & { task: 'transcribe' }

/** Words are there only if they were asked for; segments are, unless only words were. */
function verboseBody(
  { language, temperature = 0, timestampGranularities = [] }: TranscriptionRequest,
  transcript: TranscriptionResult,
  seconds: number,
): Verbose {
  const hasWords = timestampGranularities.includes('word')
  const hasSegments = !hasWords || timestampGranularities.includes('segment')
  return {
    task: 'transcribe',
    language: transcript.language ?? language ?? '',
    duration: seconds,
    text: transcript.text,
    ...(hasSegments ? { segments: segmentsOf(transcript, seconds, temperature) } : {}),
    ...(hasWords ? { words: wordsOf(transcript) } : {}),
    usage: { type: 'duration', seconds },
  }
}

/** Numbers that only Whisper has are filled in: clients look for them. */
function segmentsOf(
  transcript: TranscriptionResult,
  seconds: number,
  temperature: number,
): OpenAI.Audio.TranscriptionSegment[] {
  return cuesOf(transcript, seconds).map(({ text, start, end }, id) => ({
    id,
    seek: 0,
    start,
    end,
    text,
    tokens: [],
    temperature,
    avg_logprob: 0,
    compression_ratio: 1,
    no_speech_prob: 0,
  }))
}

function wordsOf({ words = [] }: TranscriptionResult): OpenAI.Audio.TranscriptionWord[] {
  return words.map(({ word, startMs, endMs }) => ({ word, start: startMs / 1000, end: endMs / 1000 }))
}

function diarizedBody(transcript: TranscriptionResult, seconds: number): OpenAI.Audio.TranscriptionDiarized {
  const usage = { type: 'duration' as const, seconds }
  const segments = spokenSegments(transcript)
  return { task: 'transcribe', duration: seconds, text: transcript.text, segments, usage }
}

/** What each speaker says. @throws RequestError where the plugin does not tell. */
function spokenSegments({
  text,
  segments = [],
}: TranscriptionResult): OpenAI.Audio.TranscriptionTextSegmentEvent[] {
  if (segments.length === 0 && text !== '') throw noSpeakers()
  return segments.map(({ text: said, speaker, startMs, endMs }, index) => {
    if (speaker === undefined) throw noSpeakers()
    const times = { start: startMs / 1000, end: endMs / 1000 }
    return { type: 'transcript.text.segment' as const, id: `seg_${index}`, text: said, speaker, ...times }
  })
}

function noSpeakers(): RequestError {
  return unsupported('response_format', 'the plugin does not tell speakers apart. Ask for verbose_json')
}

type Delta = OpenAI.Audio.TranscriptionTextDeltaEvent
type Done = OpenAI.Audio.TranscriptionTextDoneEvent

/** What is heard for good is sent as it comes. */
function sendUpdates(listen: Listening): Promise<void> {
  let text = ''
  return sendStream<Pick<TranscriptUpdate, 'final'>>(listen.exchange, updatesOf(listen), {
    begin() {},
    piece({ final }, send) {
      if (final === null || final === text) return
      const delta = final.startsWith(text) ? final.slice(text.length) : final
      text = final
      send(JSON.stringify({ type: 'transcript.text.delta', delta } satisfies Delta))
    },
    end(send) {
      send(JSON.stringify({ type: 'transcript.text.done', text } satisfies Done))
    },
  })
}

/** Where a plugin can’t listen to a stream, all that it hears comes at once. */
async function* updatesOf(listen: Listening): AsyncGenerator<Pick<TranscriptUpdate, 'final'>> {
  const { handle, recording, options } = listen
  try {
    yield* handle.transcribeStream(inParts(recording.audio), options)
  } catch (error) {
    if (!isPluginError(error, 'METHOD_NOT_FOUND')) throw error
    yield { final: (await transcriptOf(listen)).text }
  }
}

/** Who said what is known at the end only. */
async function sendSegments(listen: Listening): Promise<void> {
  const transcript = await transcriptOf(listen)
  await sendStream(listen.exchange, each(spokenSegments(transcript)), {
    begin() {},
    piece(segment, send) {
      const { text: delta, id: segment_id } = segment
      send(JSON.stringify({ type: 'transcript.text.delta', delta, segment_id } satisfies Delta))
      send(JSON.stringify(segment))
    },
    end(send) {
      send(JSON.stringify({ type: 'transcript.text.done', text: transcript.text } satisfies Done))
    },
  })
}

async function* each<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items
}

/** Plugins listen while it comes. */
async function* inParts(audio: Uint8Array): AsyncGenerator<Uint8Array> {
  const partBytes = 65_536
  for (let start = 0; start < audio.length; start += partBytes) yield audio.subarray(start, start + partBytes)
}
