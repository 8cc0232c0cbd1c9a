import { createAppFactory } from '@appfactory/ai-sdk-provider'
import {
  generateSpeech,
  NoSuchModelError,
  experimental_streamSpeech as streamSpeech,
  experimental_streamTranscribe as streamTranscribe,
  transcribe,
} from 'ai'
import { expect, it } from 'vitest'
import { detailsOf, hostOfTests } from './setup.js'

const { host } = hostOfTests(['quick_tts', 'acting_tts', 'counting_stt', 'tool_llm'])
const speech = (id = 'quick_tts') => createAppFactory({ host: host() }).speech(id)
const transcription = (id = 'counting_stt') => createAppFactory({ host: host() }).transcription(id)
const heard = async (plugin: string) => (await detailsOf(host(), plugin))['heard']

/** Text that arrives when the test says so, and tells whether it was cancelled. */
function textByHand() {
  const { readable, writable } = new TransformStream<string, string>(undefined, undefined, {
    highWaterMark: 9,
  })
  const writer = writable.getWriter()
  const cancelled = writer.closed.then(
    () => false,
    () => true,
  )
  return { readable, writer, cancelled }
}

it('generates speech with every setting, and makes a file of bare samples', async () => {
  const { audio, warnings, providerMetadata } = await generateSpeech({
    ...{ model: speech('quick_tts/large'), text: 'Hello', voice: 'one', speed: 2, language: 'en' },
    instructions: 'Whisper.',
    providerOptions: { appfactory: { pitch: 1.5, sampleRate: 8000, raw: true } },
  })
  expect([audio.mediaType, audio.uint8Array.length]).toEqual(['audio/wav', 44 + 10])
  expect(warnings).toEqual([{ type: 'unsupported', feature: 'instructions' }])
  expect(providerMetadata).toMatchObject({
    appfactory: { format: 'pcm_s16le', sampleRate: 8000, channels: 1 },
  })
  expect(await heard('quick_tts')).toEqual({
    ...{ text: 'Hello', voice: 'one' },
    options: {
      ...{ speed: 2, language: 'en', instructions: 'Whisper.', pitch: 1.5, sampleRate: 8000 },
      providerOptions: { model: 'large', raw: true },
    },
  })
})

it('warns of no instructions where the plugin says that it knows them', async () => {
  const { warnings } = await generateSpeech({
    model: speech('acting_tts'),
    text: 'Hello',
    instructions: 'Whisper.',
  })
  expect(warnings).toEqual([])
  expect(await heard('acting_tts')).toMatchObject({ options: { instructions: 'Whisper.' } })
})

it('returns bare samples where they are asked for', async () => {
  const { audio } = await generateSpeech({ model: speech(), text: 'Hello', outputFormat: 'pcm' })
  expect(audio.uint8Array).toEqual(new Uint8Array(10).fill(7))
})

it('returns bare samples of a plugin that makes a file all the same', async () => {
  const { audio, warnings, providerMetadata } = await generateSpeech({
    ...{ model: speech(), text: 'Hello', outputFormat: 'pcm' },
    providerOptions: { appfactory: { wav: true } },
  })
  expect(audio.uint8Array).toEqual(new Uint8Array(10))
  expect(warnings).toEqual([])
  expect(providerMetadata).toMatchObject({ appfactory: { format: 'pcm_s16le', sampleRate: 8000 } })
})

it('warns where the plugin makes another format than was asked for', async () => {
  const ask = async (outputFormat: string, raw = false) => {
    const options = raw ? { providerOptions: { appfactory: { raw } } } : {}
    const { warnings } = await generateSpeech({ model: speech(), text: 'Hello', outputFormat, ...options })
    return warnings
  }
  const other = { type: 'unsupported', feature: 'outputFormat', details: 'The plugin made wav, not mp3' }
  expect([await ask('mp3'), await ask('mp3', true)]).toEqual([[other], [other]])
  expect([await ask('wav'), await ask('wav', true), await ask('pcm')]).toEqual([[], [], []])
})

it('streams speech: the first audio is there before the text ends', async () => {
  const text = textByHand()
  const { fullStream } = streamSpeech({ model: speech(), text: text.readable, voice: 'one' })
  const parts = fullStream[Symbol.asyncIterator]()
  await text.writer.write('One. ')
  const { value: first } = await parts.next()
  // Stereo becomes mono, and no piece has a header.
  expect(first).toEqual({
    type: 'audio',
    audio: new Uint8Array(10),
    audioFormat: { type: 'audio/pcm', rate: 8000 },
    providerMetadata: { appfactory: { text: 'One. ' } },
  })
  await text.writer.write('Two.')
  await text.writer.close()
  expect(await parts.next()).toMatchObject({ value: { audio: new Uint8Array(8) } })
  expect(await parts.next()).toMatchObject({ done: true })
})

it('tells what speech used', async () => {
  const { usage, warnings } = streamSpeech({ model: speech(), text: 'Hello', instructions: 'Whisper.' })
  expect([await usage, await warnings]).toEqual([
    { inputCharacters: 5 },
    [{ type: 'unsupported', feature: 'instructions' }],
  ])
})

it('cancels the text when the plugin fails, the caller aborts, the reader leaves or there is no plugin', async () => {
  const failing = textByHand()
  await failing.writer.write('fail')
  const failed = streamSpeech({ model: speech(), text: failing.readable, onError: () => {} })
  await expect(failed.usage).rejects.toMatchObject({ name: 'AI_APICallError', statusCode: 500 })
  expect(await failing.cancelled).toBe(true)

  const aborting = textByHand()
  const abort = new AbortController()
  await aborting.writer.write('One. ')
  const aborted = streamSpeech({ model: speech(), text: aborting.readable, abortSignal: abort.signal })
  const pieces = async () => {
    for await (const _piece of aborted.audioStream) abort.abort()
  }
  await expect(pieces()).rejects.toMatchObject({ name: 'AbortError' })
  expect(await aborting.cancelled).toBe(true)

  const leaving = textByHand()
  await leaving.writer.write('One. ')
  for await (const _piece of streamSpeech({ model: speech(), text: leaving.readable }).audioStream) break
  expect(await leaving.cancelled).toBe(true)

  const nobody = textByHand()
  const none = streamSpeech({ model: speech('nobody'), text: nobody.readable })
  await expect(none.usage).rejects.toSatisfy(NoSuchModelError.isInstance)
  expect(await nobody.cancelled).toBe(true)
})

it('refuses a part of the text with a voice of its own', async () => {
  const text = [{ type: 'text' as const, text: 'Hello', voice: 'two' }]
  const { usage } = streamSpeech({ model: speech(), text, voice: 'one', onError: () => {} })
  await expect(usage).rejects.toThrow('voice: a part of the text asks for "two"')
})

it('transcribes with words in seconds', async () => {
  const { text, segments, language, durationInSeconds, warnings } = await transcribe({
    model: transcription(),
    audio: new Uint8Array(100),
    timestampGranularities: ['word'],
    providerOptions: { appfactory: { language: 'en-US', prompt: 'hello', beam: 3 } },
  })
  expect({ text, segments, language, durationInSeconds }).toEqual({
    text: 'hello',
    segments: [{ text: 'hello', startSecond: 0.1, endSecond: 0.6 }],
    language: 'en-US',
    durationInSeconds: 1.5,
  })
  expect(warnings).toEqual([{ type: 'other', message: 'quiet' }])
  expect(await heard('counting_stt')).toEqual({
    ...{ bytes: 100, language: 'en-US' },
    options: { prompt: 'hello', wordTimestamps: true, providerOptions: { beam: 3 } },
  })
})

it('streams a transcript: what may change, and what is new of what will not', async () => {
  const audio = new ReadableStream<Uint8Array | string>({
    start(controller) {
      controller.enqueue(new Uint8Array(3))
      controller.enqueue(Buffer.alloc(4).toString('base64'))
      controller.close()
    },
  })
  const { fullStream } = streamTranscribe({
    model: transcription(),
    audio,
    inputAudioFormat: { type: 'audio/pcm', rate: 16_000 },
  })
  const parts: unknown[] = []
  for await (const part of fullStream) parts.push(part)
  expect(parts).toEqual([
    { type: 'transcript-partial', text: 'maybe' },
    { type: 'transcript-final', text: 'word3' },
    { type: 'transcript-partial', text: 'maybe' },
    { type: 'transcript-final', text: 'word4' },
  ])
  expect(await heard('counting_stt')).toEqual({ options: { format: 'pcm_s16le', sampleRate: 16_000 } })
})

it('cancels the audio when nobody reads the transcript any more', async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, {
    highWaterMark: 9,
  })
  const writer = writable.getWriter()
  await writer.write(new Uint8Array(3))
  const inputAudioFormat = { type: 'audio/pcm', rate: 16_000 }
  const { fullStream } = streamTranscribe({ model: transcription(), audio: readable, inputAudioFormat })
  for await (const _part of fullStream) break
  await expect(writer.closed).rejects.toThrow()
})

it('knows no model of another contract', async () => {
  const spoken = generateSpeech({ model: speech('tool_llm'), text: 'Hello' })
  await expect(spoken).rejects.toMatchObject({ name: 'AI_NoSuchModelError', modelType: 'speechModel' })
  const text = transcribe({ model: transcription('tool_llm'), audio: new Uint8Array(9) })
  await expect(text).rejects.toMatchObject({ name: 'AI_NoSuchModelError', modelType: 'transcriptionModel' })
})
