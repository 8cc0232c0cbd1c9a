import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createOpenAI } from '@ai-sdk/openai'
import { PluginHost } from '@appfactory/host'
import { decodeWav, TTSContract, toMono16 } from '@appfactory/sdk'
import { Resampler } from '@appfactory/sdk/internal'
import { RealtimeAgent, RealtimeSession } from '@openai/agents-realtime'
import { experimental_streamTranscribe as streamTranscribe } from 'ai'
import OpenAI from 'openai'
import { OpenAIRealtimeWS } from 'openai/realtime/ws'
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { WebSocket } from 'ws'
import { soundOf, toPcm } from '../../src/audio/samples.js'
import { Talker, tone } from '../realtime/talker.js'
import { serve, startHost } from '../visitor.js'

const sentence = 'please tell me a story about a little bear'
const examples = fileURLToPath(new URL('../../../../examples/plugins', import.meta.url))

let engines: PluginHost
let host: PluginHost
/** The sentence as it is spoken, as samples at 24 kHz. */
let speech: Uint8Array
beforeAll(async () => {
  engines = new PluginHost({ pluginsDir: examples, projectDir: false })
  ;[host] = await Promise.all([
    startHost(['tool_llm', 'tone_tts', 'echo_stt']),
    engines.load('stt_pocketsphinx'),
  ])
  const { audio } = await (await engines.load(TTSContract, 'tts_flite')).synthesize(sentence, 'rms')
  speech = at24kHz(audio)
})
afterAll(() => Promise.all([engines.close({ force: true }), host.close({ force: true })]))

function at24kHz(wav: Uint8Array): Uint8Array {
  const sound = decodeWav(wav)
  if (!sound) throw new Error('The plugin made no WAV file')
  expect(toMono16(sound).length).toBeGreaterThan(0)
  const { samples, sampleRate } = soundOf(sound)
  const resampler = new Resampler(sampleRate, 24_000)
  return Buffer.concat([toPcm(resampler.push(samples)), toPcm(resampler.end())])
}

it('ai and @ai-sdk/openai: streamTranscribe hears what a plugin says', async () => {
  // Node 20 has none.
  vi.stubGlobal('WebSocket', WebSocket)
  onTestFinished(() => void vi.unstubAllGlobals())
  const { url } = await serve(engines)
  const openai = createOpenAI({ baseURL: url, apiKey: 'none' })
  const audio = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < speech.length; at += 4800) controller.enqueue(speech.subarray(at, at + 4800))
      controller.close()
    },
  })
  const result = streamTranscribe({
    model: openai.transcription('gpt-realtime-whisper'),
    audio,
    inputAudioFormat: { type: 'audio/pcm', rate: 24_000 },
  })
  const heard = (await result.text).split(' ')
  expect(heard.filter((word) => sentence.split(' ').includes(word)).length).toBeGreaterThanOrEqual(7)
})

it('ws: a plugin tells speech from silence, and another one hears it', async () => {
  await engines.load('vad_fvad')
  onTestFinished(() => engines.unload('vad_fvad'))
  const { port } = await serve(engines)
  const client = await new Talker(port, '?intent=transcription').opened()
  for (const part of [Buffer.alloc(24_000), speech, Buffer.alloc(48_000)])
    for (let at = 0; at < part.length; at += 48_000) client.append(part.subarray(at, at + 48_000))
  const { audio_start_ms } = await client.next('input_audio_buffer.speech_started')
  // The sentence begins behind half a second of silence, of which 300 ms belong to it.
  expect(audio_start_ms).toBeGreaterThanOrEqual(100)
  expect(audio_start_ms).toBeLessThan(500)
  const { transcript } = await client.next('conversation.item.input_audio_transcription.completed')
  expect(transcript).toContain('tell me a story')
  expect((await engines.health('vad_fvad')).details).toMatchObject({ engine_loaded: true })
})

it('openai: a socket over TLS speaks', async () => {
  const [cert = '', key = ''] = ['cert', 'key'].map((part) =>
    readFileSync(fileURLToPath(new URL(`../fixtures/localhost-${part}.pem`, import.meta.url)), 'utf8'),
  )
  const { url } = await serve(host, { tls: { cert, key }, keys: ['secret'] })
  expect(url).toMatch(/^https:/)
  const openai = new OpenAI({ baseURL: url, apiKey: 'secret' })
  const socket = new OpenAIRealtimeWS({ model: 'tool_llm', options: { ca: cert } }, openai)
  onTestFinished(() => socket.close())
  const text = new Promise<string>((resolve, reject) => {
    socket.on('response.output_text.done', (event) => resolve(event.text))
    socket.on('error', reject)
  })
  await once(socket.socket, 'open')
  socket.send({ type: 'session.update', session: { type: 'realtime', output_modalities: ['text'] } })
  const content = [{ type: 'input_text' as const, text: 'hello' }]
  socket.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content } })
  socket.send({ type: 'response.create' })
  expect(await text).toBe('hello')
})

/** A session of an agent, and what it reports as errors. */
async function connectAgent(): Promise<{ session: RealtimeSession; errors: unknown[] }> {
  const { port } = await serve(host)
  const agent = new RealtimeAgent({ name: 'Test', instructions: 'Be brief.' })
  const session = new RealtimeSession(agent, { transport: 'websocket', model: 'tool_llm' })
  const errors: unknown[] = []
  session.on('error', (error) => errors.push(error))
  await session.connect({ apiKey: 'none', url: `ws://127.0.0.1:${port}/v1/realtime?model=tool_llm` })
  return { session, errors }
}

it('@openai/agents-realtime: a session hears an answer, and has its text', async () => {
  const { session, errors } = await connectAgent()
  const sound = new Promise((resolve) => session.transport.on('audio', resolve))
  session.sendMessage('one two three')
  await sound
  await expect.poll(() => JSON.stringify(session.history)).toContain('"transcript":"one two three"')
  session.close()
  expect(errors).toEqual([])
})

it('@openai/agents-realtime: a session that speaks has what was heard, and the answer', async () => {
  const { session, errors } = await connectAgent()
  for (const sound of [tone(500), Buffer.alloc(48_000)]) session.sendAudio(new Uint8Array(sound).buffer)
  const said = { status: 'completed', content: [{ transcript: expect.stringMatching(/^one two \d+$/) }] }
  await expect
    .poll(() => session.history)
    .toMatchObject([
      { role: 'user', ...said },
      { role: 'assistant', ...said },
    ])
  session.close()
  expect(errors).toEqual([])
})
