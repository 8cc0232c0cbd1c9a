import { decodeWav, sniffAudio } from '../../audio.js'
import type { AudioChunk, SynthesisResult, Voice } from '../../contracts/tts.types.js'
import type { ContractDescriptor, MethodDescriptor } from '../../descriptor.js'
import { isPluginError } from '../../errors.js'
import { type Check, type CheckContext, must } from '../check.js'
import { callForResult, errorText, streamForPieces, tryCall, unexpected } from './calls.js'
import { methodOf } from './find-method.js'
import { listCheck } from './list.js'
import { argumentsCheck, methodChecks, mustBeForeseen } from './method.js'
import { streamChecks } from './stream.js'

/** By how much audio made in pieces may be longer or shorter than audio made at once. */
const tolerance = 2

export function ttsChecks(contract: ContractDescriptor): Check[] {
  const synthesize = methodOf(contract, 'synthesize')
  const voices = methodOf(contract, 'get_voices')
  const voiceInfo = methodOf(contract, 'get_voice_info')
  const stream = methodOf(contract, 'synthesize_stream')
  return [
    ...methodChecks('tts', synthesize),
    {
      id: 'tts.synthesize.audio',
      title: 'synthesize returns audio that can be played',
      after: ['tts.synthesize.result'],
      run: async (context) => mustBePlayable(await speak(context, synthesize), 'the audio'),
    },
    {
      id: 'tts.synthesize.figures',
      title: 'Sample rate, channels and duration are those of the audio',
      after: ['tts.synthesize.audio'],
      run: async (context) => mustAgree(context, await speak(context, synthesize), 'the result'),
    },
    ...methodChecks('tts', voices),
    listCheck('tts', voices, 'id'),
    {
      id: 'tts.synthesize.voice',
      title:
        'synthesize speaks with the voices that get_voices lists, and refuses others with TTS_VOICE_NOT_FOUND',
      after: ['tts.synthesize.result', 'tts.get_voices.result'],
      run: (context) => checkVoices(context, synthesize, voices),
    },
    {
      id: 'tts.get_voice_info.result',
      requires: 'get_voice_info',
      title:
        'get_voice_info describes each voice that get_voices lists, and refuses others with TTS_VOICE_NOT_FOUND',
      after: ['tts.get_voices.result'],
      run: (context) => checkVoiceInfo(context, voiceInfo, voices),
    },
    argumentsCheck('tts', voiceInfo),
    ...methodChecks('tts', stream),
    ...streamChecks('tts', stream),
    {
      id: 'tts.synthesize_stream.audio',
      requires: 'synthesize_stream',
      title: 'Each piece of synthesize_stream is audio that can be played, with the right figures',
      after: ['tts.synthesize_stream.pieces'],
      run: async (context) => {
        const pieces = (await streamForPieces(context, stream, context.samples(stream).first)) as AudioChunk[]
        for (const [index, piece] of pieces.entries()) {
          mustBePlayable(piece, `piece ${index}`)
          mustAgree(context, piece, `piece ${index}`)
        }
      },
    },
    {
      id: 'tts.synthesize_stream.joined',
      requires: 'synthesize_stream',
      title: 'The pieces of synthesize_stream together are what synthesize says',
      after: ['tts.synthesize_stream.audio', 'tts.synthesize.figures'],
      run: (context) => checkJoined(context, synthesize, stream),
    },
  ]
}

async function speak(context: CheckContext, method: MethodDescriptor): Promise<SynthesisResult> {
  return (await callForResult(context, method, context.samples(method).first)) as SynthesisResult
}

function mustBePlayable({ audio, format }: SynthesisResult | AudioChunk, what: string): void {
  must(audio.length > 0, `${what} is empty`)
  const sniffed = sniffAudio(audio)
  if (!sniffed) {
    must(!['wav', 'mp3', 'ogg', 'flac'].includes(format), `${what} says ${format}, but has no such header`)
    return
  }
  must(sniffed.format === format, `${what} says ${format}, but its header is that of ${sniffed.format}`)
  const wav = decodeWav(audio)
  must(!wav || wav.data.length > 0, `${what} has a header and not one sample`)
}

function mustAgree(context: CheckContext, speech: SynthesisResult | AudioChunk, what: string): void {
  const header = sniffAudio(speech.audio) ?? rawFormatOf(speech)
  if (!header) {
    context.note(`not compared: audio in ${speech.format} has no header that is known`)
    return
  }
  for (const key of ['sampleRate', 'channels'] as const)
    must(speech[key] === header[key], `${what} says ${key} ${speech[key]}, the audio's header ${header[key]}`)
  if (speech.durationMs === undefined || header.durationMs === undefined) {
    context.note('not compared: the duration; the audio, or the plugin, does not tell it')
    return
  }
  const apart = Math.abs(speech.durationMs - header.durationMs)
  must(apart <= 20, `${what} says ${speech.durationMs} ms, but the audio lasts ${header.durationMs} ms`)
}

/** Raw samples have no header, but as many bytes as their duration takes. */
function rawFormatOf({ audio, format, sampleRate, channels }: SynthesisResult | AudioChunk) {
  if (format !== 'pcm_s16le') return undefined
  return { sampleRate, channels, durationMs: (audio.length * 1000) / (2 * sampleRate * channels) }
}

async function checkVoices(
  context: CheckContext,
  synthesize: MethodDescriptor,
  list: MethodDescriptor,
): Promise<void> {
  const { first } = context.samples(synthesize)
  for (const { id } of await someVoices(context, list)) {
    await callForResult(context, synthesize, { ...first, voice_id: id }).catch((error: unknown) => {
      throw unexpected(`the listed voice "${id}"`, error)
    })
  }
  const { error } = await tryCall(context, synthesize, { ...first, voice_id: 'no-such-voice' })
  // A plugin with one voice may speak with it whatever is asked.
  if (error === undefined) context.note('not refused: synthesize takes the unknown voice "no-such-voice"')
  else mustBeVoiceNotFound(context, error)
}

async function checkVoiceInfo(
  context: CheckContext,
  info: MethodDescriptor,
  list: MethodDescriptor,
): Promise<void> {
  for (const { id } of await someVoices(context, list)) {
    const voice = (await callForResult(context, info, { voice_id: id })) as Voice
    must(voice.id === id, `asked for "${id}" it describes "${voice.id}"`)
  }
  const { error } = await tryCall(context, info, { voice_id: 'no-such-voice' })
  must(error !== undefined, 'a voice that is not there was described')
  mustBeVoiceNotFound(context, error)
}

/** The first and the last: an engine may have hundreds. */
async function someVoices(context: CheckContext, list: MethodDescriptor): Promise<Voice[]> {
  const voices = (await callForResult(context, list, {})) as Voice[]
  return voices.filter((_, index) => index === 0 || index === voices.length - 1)
}

function mustBeVoiceNotFound(context: CheckContext, error: unknown): void {
  mustBeForeseen(context, error, 'an unknown voice')
  must(
    isPluginError(error) && error.codeName === 'TTS_VOICE_NOT_FOUND',
    `an unknown voice gave ${errorText(error)}, not TTS_VOICE_NOT_FOUND`,
  )
}

async function checkJoined(
  context: CheckContext,
  synthesize: MethodDescriptor,
  stream: MethodDescriptor,
): Promise<void> {
  const { first } = context.samples(stream)
  const pieces = (await streamForPieces(context, stream, first)) as AudioChunk[]
  const whole = (await callForResult(context, synthesize, first)) as SynthesisResult
  const [head] = pieces
  must(head !== undefined, 'there is no piece at all')
  for (const key of ['format', 'sampleRate', 'channels'] as const)
    for (const [index, piece] of pieces.entries())
      must(piece[key] === head[key], `piece ${index} has ${key} ${piece[key]}, the first one ${head[key]}`)
  if ([whole, ...pieces].some(({ durationMs }) => durationMs === undefined))
    return context.note(
      'not compared: the duration of the pieces and of the whole; one of them does not tell it',
    )
  const together = pieces.reduce((sum, { durationMs = Number.NaN }) => sum + durationMs, 0)
  const { durationMs: atOnce = Number.NaN } = whole
  const differs = together > atOnce * tolerance || together < atOnce / tolerance
  must(
    !differs,
    `the pieces last ${Math.round(together)} ms together, synthesize takes ${Math.round(atOnce)} ms for the same text`,
  )
}
