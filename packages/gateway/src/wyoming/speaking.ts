import type { PluginHandle } from '@appfactory/host'
import type { SynthesisOptions, TTSContract, Voice } from '@appfactory/sdk'
import type { Making } from '../audio/encode.js'
import { encodeSpeech } from '../audio/thread.js'
import { RequestError } from '../errors.js'
import { speechFailure } from '../openai/speech.js'
import type { SpeechRequest } from './events.table.js'
import { closestLanguage } from './language.js'
import type { Talk } from './talk.js'

/** What is sent at once, in bytes: a fifth of a second or so. */
const partBytes = 8192
const headerBytes = 44

/** Sends speech: `audio-start`, `audio-chunk` as often as needed, `audio-stop`. The text may still be on its way. */
export async function saySomething(
  talk: Talk,
  text: string | AsyncIterable<string>,
  request: SpeechRequest,
): Promise<void> {
  const { handle, voice } = await chosen(talk, request)
  const options: SynthesisOptions = {
    signal: talk.signal,
    ...(request.textFormat === 'ssml' ? { textType: 'ssml' } : {}),
  }
  const isSilent = typeof text === 'string' && !/[\p{L}\p{N}]/u.test(text)
  const pieces = isSilent ? nothing() : handle.synthesizeStream(text, voice, options)
  await sendSound(talk, encodeSpeech(pieces, spoken, talk.signal))
}

/** Samples keep the rate of the plugin, which is in the header. */
const spoken: Making = {
  encoding: 'wav',
  sampleRate: undefined,
  isStreamed: true,
  mostSeconds: Number.POSITIVE_INFINITY,
}

async function* nothing(): AsyncGenerator<never> {}

async function sendSound(talk: Talk, wav: AsyncIterable<Uint8Array>): Promise<void> {
  let format: { rate: number; width: number; channels: number } | undefined
  try {
    for await (const bytes of wav) {
      const start = format ? 0 : headerBytes
      if (!format) {
        format = formatIn(bytes)
        await talk.send('audio-start', format)
      }
      for (let at = start; at < bytes.length; at += partBytes)
        await talk.send('audio-chunk', format, bytes.subarray(at, at + partBytes))
    }
  } catch (error) {
    throw speechFailure(error)
  }
  // Clients wait for the end of the sound, also where there is none.
  if (!format) await talk.send('audio-start', { rate: 16_000, width: 2, channels: 1 })
  await talk.send('audio-stop')
}

function formatIn(wav: Uint8Array): { rate: number; width: number; channels: number } {
  const rate = new DataView(wav.buffer, wav.byteOffset, headerBytes).getUint32(24, true)
  return { rate, width: 2, channels: 1 }
}

/** A voice is the plugin’s own choice unless the client names it, or a language. */
async function chosen(
  { programs, directory, selected }: Talk,
  { voice }: SpeechRequest,
): Promise<{ handle: PluginHandle<TTSContract>; voice: string | undefined }> {
  const owner = voice?.name === undefined ? undefined : await programs.withVoice(voice.name)
  const { plugin, voices } = await programs.find('tts', [selected, owner])
  const { handle } = await directory.tts.find(plugin.name)
  if (voice?.name !== undefined) return { handle, voice: known(voice.name, voices) }
  const language =
    voice?.language &&
    closestLanguage(
      voice.language,
      voices.map((each) => each.language),
    )
  return { handle, voice: language ? voices.find((each) => each.language === language)?.id : undefined }
}

function known(name: string, voices: readonly Voice[]): string {
  const names = voices.map(({ id }) => id)
  // A plugin that could not tell its voices says itself whether it has this one.
  if (names.length === 0 || names.includes(name)) return name
  const message = `There is no voice ${JSON.stringify(name.slice(0, 100))}; there is ${names.slice(0, 20).join(', ')}`
  throw new RequestError(400, message, { code: 'voice_not_found' })
}
