import { fileURLToPath } from 'node:url'
import { createAppFactory } from '@appfactory/ai-sdk-provider'
import { PluginHost } from '@appfactory/host'
import {
  experimental_streamSpeech as streamSpeech,
  experimental_streamTranscribe as streamTranscribe,
} from 'ai'
import { afterAll, beforeAll, expect, it } from 'vitest'

const host = new PluginHost({
  pluginsDir: fileURLToPath(new URL('../../../examples/plugins', import.meta.url)),
  projectDir: false,
})
const appfactory = createAppFactory({ host })

beforeAll(async () => {
  await Promise.all(['tts_flite', 'stt_pocketsphinx'].map((name) => host.load(name)))
})
afterAll(() => host.close())

// The other ways to engines are run on docs/ai-sdk.md.
it('hears what is said while it is being said', async () => {
  const text = 'can you tell me a story about a rabbit'
  const { audioStream } = streamSpeech({ model: appfactory.speech('tts_flite'), text, voice: 'rms' })
  const transcript = streamTranscribe({
    model: appfactory.transcription('stt_pocketsphinx'),
    audio: audioStream,
    inputAudioFormat: { type: 'audio/pcm', rate: 16_000 },
  })
  const types = new Set<string>()
  for await (const { type } of transcript.fullStream) types.add(type)
  expect([...types].toSorted()).toEqual(['transcript-final', 'transcript-partial'])
  expect(await transcript.text).toBe(text)
})
