import type { AudioChunk, SynthesisOptions, TTSContract } from '@appfactory/sdk'
import type { Encoding } from '../audio/encode.js'
import { audioFailure } from '../audio/failure.js'
import { AudioProblem } from '../audio/problem.js'
import { closeWav, joinBytes } from '../audio/samples.js'
import { encodeSpeech } from '../audio/thread.js'
import { modelNotFound, RequestError, wrongMember } from '../errors.js'
import type { Exchange } from '../exchange.js'
import type { Target } from '../models.js'
import { bodyReader } from '../schema.js'
import { sendBytes } from '../send-bytes.js'
import { sendStream } from '../stream.js'
import { type SpeechRequest, speechTable } from './speech.table.js'

const readSpeech = bodyReader(speechTable)

/** Clients that can’t be told another voice ask for one of these: the plugin’s own answers. */
const openaiVoices = new Set([
  ...['alloy', 'ash', 'ballad', 'cedar', 'coral', 'echo', 'fable'],
  ...['marin', 'nova', 'onyx', 'sage', 'shimmer', 'verse'],
])

const mediaTypes: Record<Encoding, string> = {
  mp3: 'audio/mpeg',
  opus: 'audio/ogg',
  wav: 'audio/wav',
  pcm: 'audio/pcm',
}

/** A file may be as long as the samples of two hours. */
const mostFileBytes = 512 * 1024 * 1024

/** `POST /audio/speech` */
export async function speak(exchange: Exchange): Promise<void> {
  const request = readSpeech(await exchange.readJson())
  const encoding = encodingOf(request)
  if (!/[\p{L}\p{N}]/u.test(request.input)) throw wrongMember('input', 'must have something that can be said')
  const target = await exchange.directory.tts.find(request.model)
  if (target.model !== undefined) throw modelNotFound(request.model)
  const { handle } = target
  const voice = await voiceOf(exchange, target, request)
  const usage = new Usage()
  const pieces = usage.of(handle.synthesizeStream(request.input, voice, optionsOf(exchange, request)))
  const bytes = explained(encodeSpeech(pieces, encoding, exchange.signal, exchange.audioSeconds))
  if (request.streamFormat === 'sse') return sendEvents(exchange, bytes, usage)
  if (encoding === 'wav' && request.streamFormat === undefined) return sendFile(exchange, bytes)
  await sendBytes(exchange, { 'content-type': mediaTypes[encoding] }, bytes)
}

function encodingOf({ responseFormat = 'mp3' }: SpeechRequest): Encoding {
  if (responseFormat !== 'flac' && responseFormat !== 'aac') return responseFormat
  const message = `response_format: ${responseFormat} can’t be made here. Ask for mp3, opus, wav or pcm`
  throw new RequestError(400, message, { param: 'response_format', code: 'unsupported_format' })
}

/** The voice of the plugin; undefined: its own choice. @throws RequestError where the plugin has no such voice. */
async function voiceOf(
  { signal, settings }: Exchange,
  { handle, voice: preset }: Target<TTSContract>,
  { voice }: SpeechRequest,
): Promise<string | undefined> {
  const asked = typeof voice === 'object' ? voice.id : voice
  if (asked === undefined) return preset
  const known = (await handle.getVoices({ signal })).map(({ id }) => id)
  const meant = [...(settings.voices.get(asked) ?? []), asked].find((name) => known.includes(name))
  if (meant !== undefined) return meant
  if (openaiVoices.has(asked)) return preset
  const message = `voice: there is no voice ${JSON.stringify(asked.slice(0, 100))}; there is ${known.slice(0, 20).join(', ')}`
  throw new RequestError(400, message, { param: 'voice', code: 'voice_not_found' })
}

/** Instructions mean nothing to the contract: the plugin may know them all the same. */
function optionsOf(exchange: Exchange, { speed, instructions }: SpeechRequest): SynthesisOptions {
  const { signal } = exchange
  if (instructions !== undefined) exchange.tellIgnored(['instructions'])
  return {
    signal,
    ...(speed === undefined ? {} : { speed }),
    ...(instructions === undefined ? {} : { providerOptions: { openai: { instructions } } }),
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
function speechFailure(error: unknown): unknown {
  if (!(error instanceof AudioProblem)) return error
  if (error.kind !== 'invalid_audio')
    return audioFailure(error, error.kind === 'audio_too_long' ? 'input' : 'response_format')
  return new RequestError(500, 'The plugin has made sound that can’t be read. Its log may tell more', {
    code: 'unreadable_speech',
  })
}

/** A file that tells its length: many players refuse others. */
async function sendFile(exchange: Exchange, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of bytes) {
    parts.push(part)
    length += part.length
    if (length > mostFileBytes)
      throw new RequestError(413, 'The speech is too long for a WAV file. Ask for mp3 or pcm', {
        code: 'audio_too_long',
      })
  }
  exchange.writeHead(200, { 'content-type': mediaTypes.wav, 'content-length': length })
  exchange.response.end(closeWav(joinBytes(parts)))
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
