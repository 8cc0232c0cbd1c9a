import type { PluginHandle } from '@appfactory/host'
import type {
  STTContract,
  TranscriptionOptions,
  TranscriptionResult,
  TranscriptUpdate,
} from '@appfactory/sdk'
import type { OpenAI } from 'openai'
import { audioFailure } from '../audio/failure.js'
import { type Recording, recordingOf } from '../audio/recording.js'
import { modelNotFound, RequestError, unsupported } from '../errors.js'
import type { Exchange } from '../exchange.js'
import { type Form, readForm } from '../multipart.js'
import { bodyReader } from '../schema.js'
import { sendStream } from '../stream.js'
import { cuesOf, srtOf, vttOf } from './cues.js'
import { type TranscriptionRequest, transcriptionTable } from './transcriptions.table.js'

const readFields = bodyReader(transcriptionTable)

/** Fields that are lists. Clients write their names with brackets behind, or without. */
const lists = ['timestamp_granularities', 'include']

/** `POST /audio/transcriptions` */
export async function transcribe(exchange: Exchange): Promise<void> {
  const form = await readForm(exchange)
  const request = readFields(valuesOf(form))
  const file = fileOf(form)
  if (request.include?.includes('logprobs')) throw unsupported('include', 'plugins do not tell logprobs')
  const { handle, model } = await exchange.directory.stt.find(request.model)
  if (model !== undefined) throw modelNotFound(request.model)
  const recording = await recordingOf(file, exchange.signal, exchange.audioSeconds).catch(
    (error: unknown) => {
      throw audioFailure(error, 'file')
    },
  )
  if (request.stream) return sendUpdates(exchange, handle, request, recording)
  const options = optionsOf(exchange, request)
  const transcript = await handle.transcribe(recording.wav, request.language, options)
  sendTranscript(exchange, request, transcript, recording.seconds)
}

/** A form has only texts: what is a number, a list or a flag becomes one. */
function valuesOf({ fields }: Form): object {
  const value = (name: string): unknown => {
    const all = [...(fields.get(name) ?? []), ...(fields.get(`${name}[]`) ?? [])]
    if (lists.includes(name)) return all.length === 0 ? undefined : all
    const text = all.at(-1)
    if (name === 'temperature') return text?.trim() && Number.isFinite(Number(text)) ? Number(text) : text
    if (name === 'stream') return text === 'true' || (text === 'false' ? false : text)
    return text === '' ? undefined : text
  }
  const names = ['model', 'language', 'prompt', 'response_format', 'temperature', 'stream', ...lists]
  return Object.fromEntries(names.map((name) => [name, value(name)]))
}

function fileOf({ file }: Form): Buffer {
  if (file) return file
  throw new RequestError(400, 'file: is required', { param: 'file', code: 'missing_required_parameter' })
}

function optionsOf(exchange: Exchange, request: TranscriptionRequest): TranscriptionOptions {
  const { prompt, temperature, timestampGranularities, responseFormat } = request
  const wordTimestamps = responseFormat === 'verbose_json' && timestampGranularities?.includes('word')
  return {
    signal: exchange.signal,
    ...(prompt === undefined ? {} : { prompt }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(wordTimestamps ? { wordTimestamps } : {}),
    ...(responseFormat === 'diarized_json' ? { diarization: true } : {}),
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
  const segments = (transcript.segments ?? []).map(({ text, speaker, startMs, endMs }, index) => {
    if (speaker === undefined) throw noSpeakers()
    const times = { start: startMs / 1000, end: endMs / 1000 }
    return { type: 'transcript.text.segment' as const, id: `seg_${index}`, text, speaker, ...times }
  })
  if (segments.length === 0 && transcript.text !== '') throw noSpeakers()
  const usage = { type: 'duration' as const, seconds }
  return { task: 'transcribe', duration: seconds, text: transcript.text, segments, usage }
}

function noSpeakers(): RequestError {
  return unsupported('response_format', 'the plugin does not tell speakers apart. Ask for verbose_json')
}

/** What is heard for good is sent as it comes. */
function sendUpdates(
  exchange: Exchange,
  handle: PluginHandle<STTContract>,
  { language, ...request }: TranscriptionRequest,
  { wav }: Recording,
): Promise<void> {
  const options = { ...optionsOf(exchange, request), ...(language === undefined ? {} : { language }) }
  let text = ''
  return sendStream<TranscriptUpdate>(exchange, handle.transcribeStream(inParts(wav), options), {
    begin() {},
    piece({ final }, send) {
      if (final === null || final === text) return
      const delta = final.startsWith(text) ? final.slice(text.length) : final
      text = final
      const event: OpenAI.Audio.TranscriptionTextDeltaEvent = { type: 'transcript.text.delta', delta }
      send(JSON.stringify(event))
    },
    end(send) {
      send(
        JSON.stringify({
          type: 'transcript.text.done',
          text,
        } satisfies OpenAI.Audio.TranscriptionTextDoneEvent),
      )
    },
  })
}

/** Plugins listen while it comes. */
async function* inParts(wav: Uint8Array): AsyncGenerator<Uint8Array> {
  const partBytes = 65_536
  for (let start = 0; start < wav.length; start += partBytes) yield wav.subarray(start, start + partBytes)
}
