import type { AudioChunk, SynthesisOptions, TTSContract } from '@appfactory/sdk'
import { type Encoding, hasRate, type Making } from '../audio/encode.js'
import { audioFailure } from '../audio/failure.js'
import { AudioProblem } from '../audio/problem.js'
import { encodeSpeech } from '../audio/thread.js'
import { modelNotFound, RequestError, wrongMember } from '../errors.js'
import type { Exchange } from '../exchange.js'
import type { Target } from '../models.js'
import { bodyReader } from '../schema.js'
import { sendBytes } from '../send-bytes.js'
import { sendStream } from '../stream.js'
import { type SpeechRequest, speechTable } from './speech.table.js'
import { canBeSaid } from './spoken.js'

const readSpeech = bodyReader(speechTable)

/** Clients that can’t be told another voice ask for one of these: the plugin’s own answers. */
const openaiVoices = new Set([
  ...['alloy', 'ash', 'ballad', 'cedar', 'coral', 'echo', 'fable'],
  ...['marin', 'nova', 'onyx', 'sage', 'shimmer', 'verse'],
])

const mediaTypes: Record<Encoding, string> = {
  mp3: 'audio/mpeg',
  opus: 'audio/ogg',
  aac: 'audio/aac',
  flac: 'audio/flac',
  wav: 'audio/wav',
  pcm: 'audio/pcm',
}

/** Many players refuse such files without lengths: they come whole, unless something else is asked for. */
const filesWithLengths: readonly Encoding[] = ['wav', 'flac']

/** `POST /audio/speech` */
export async function speak(exchange: Exchange): Promise<void> {
  const request = readSpeech(await exchange.readJson())
  const making = makingOf(request, exchange.audioSeconds)
  if (!canBeSaid(request.input)) throw wrongMember('input', 'must have something that can be said')
  const target = await exchange.directory.tts.find(request.model)
  const { handle } = target
  exchange.plugin = handle.name
  if (target.model !== undefined) throw modelNotFound(request.model)
  const asked = typeof request.voice === 'object' ? request.voice.id : request.voice
  const voice = await voiceOf(target, asked, exchange)
  const options = await optionsOf(exchange, handle.name, request)
  const usage = new Usage()
  const pieces = usage.of(handle.synthesizeStream(request.input, voice, options))
  const bytes = explained(encodeSpeech(pieces, making, exchange.signal))
  if (request.streamFormat === 'sse') return sendEvents(exchange, bytes, usage)
  const headers = { 'content-type': mediaTypes[making.encoding] }
  return making.isStreamed ? sendBytes(exchange, headers, bytes) : sendFile(exchange, headers, bytes)
}

function makingOf(
  { responseFormat: encoding = 'mp3', streamFormat, sampleRate }: SpeechRequest,
  mostSeconds: number,
): Making {
  const isStreamed = streamFormat !== undefined || !filesWithLengths.includes(encoding)
  return { encoding, sampleRate, isStreamed, mostSeconds }
}

/** The voice of the plugin; undefined: its own choice. @throws RequestError where the plugin has no such voice. */
export async function voiceOf(
  { handle, voice: preset }: Target<TTSContract>,
  asked: string | undefined,
  { signal, settings }: Pick<Exchange, 'signal' | 'settings'>,
  param = 'voice',
): Promise<string | undefined> {
  if (asked === undefined) return preset
  const known = (await handle.getVoices({ signal })).map(({ id }) => id)
  const meant = [...(settings.voices.get(asked) ?? []), asked].find((name) => known.includes(name))
  if (meant !== undefined) return meant
  if (openaiVoices.has(asked)) return preset
  const message = `${param}: there is no voice ${JSON.stringify(asked.slice(0, 100))}; there is ${known.slice(0, 20).join(', ')}`
  throw new RequestError(400, message, { param, code: 'voice_not_found' })
}

/** What the contract or the manifest does not name, the plugin may know all the same. */
async function optionsOf(
  exchange: Exchange,
  plugin: string,
  request: SpeechRequest,
): Promise<SynthesisOptions> {
  const { speed, instructions, sampleRate, responseFormat = 'mp3', language = request.langCode } = request
  const isChanged = speed !== undefined && speed !== 1
  const asksMore = isChanged || sampleRate !== undefined || instructions !== undefined
  const can = asksMore ? await exchange.directory.capabilitiesOf(plugin) : []
  exchange.tellIgnored([
    ...(instructions === undefined || can.includes('instructions') ? [] : ['instructions']),
    ...(isChanged && !can.includes('speed') ? ['speed'] : []),
    ...(sampleRate === undefined || hasRate(responseFormat) ? [] : ['sample_rate']),
  ])
  return {
    signal: exchange.signal,
    ...(speed === undefined ? {} : { speed }),
    ...(language === undefined ? {} : { language }),
    ...(sampleRate !== undefined && can.includes('sample_rate') ? { sampleRate } : {}),
    ...(instructions === undefined ? {} : { instructions }),
  }
}

/** What goes wrong with sound, in words for the client. A plugin without a sound has failed. */
async function* explained(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let isSilent = true
  try {
    for await (const part of bytes) {
      isSilent = false
      yield part
    }
  } catch (error) {
    throw speechFailure(error)
  }
  if (isSilent) throw new RequestError(500, 'The plugin has said nothing', { code: 'no_audio' })
}

/** Sound that can’t be read is the plugin’s here. */
export function speechFailure(error: unknown, formatMember = 'response_format'): unknown {
  if (!(error instanceof AudioProblem)) return error
  if (error.kind !== 'invalid_audio')
    return audioFailure(error, error.kind === 'audio_too_long' ? 'input' : formatMember)
  return new RequestError(500, 'The plugin has made sound that can’t be read. Its log may tell more', {
    code: 'unreadable_speech',
  })
}

async function sendFile(
  exchange: Exchange,
  headers: Readonly<Record<string, string>>,
  bytes: AsyncIterable<Uint8Array>,
): Promise<void> {
  for await (const file of bytes) {
    exchange.writeHead(200, { 'cache-control': 'no-store', ...headers, 'content-length': file.length })
    exchange.response.end(file)
  }
}

function sendEvents(exchange: Exchange, bytes: AsyncIterable<Uint8Array>, usage: Usage): Promise<void> {
  return sendStream(exchange, bytes, {
    begin() {},
    piece(part, send) {
      const audio = Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('base64')
      send(JSON.stringify({ type: 'speech.audio.delta', audio }))
    },
    end(send) {
      send(JSON.stringify(usage.done()))
    },
  })
}

/** What the pieces say of tokens; zeros where the plugin counts none. */
class Usage {
  #input = 0
  #output = 0

  async *of(pieces: AsyncIterable<AudioChunk>): AsyncGenerator<AudioChunk> {
    for await (const piece of pieces) {
      this.#input += numberIn(piece.usage, 'promptTokens')
      this.#output += numberIn(piece.usage, 'completionTokens')
      yield piece
    }
  }

  done(): object {
    const [input, output] = [this.#input, this.#output]
    const usage = { input_tokens: input, output_tokens: output, total_tokens: input + output }
    return { type: 'speech.audio.done', usage }
  }
}

function numberIn(usage: object | undefined, name: string): number {
  const value: unknown = usage && Reflect.get(usage, name)
  return typeof value === 'number' && Number.isFinite(value) ? value : 0
}
