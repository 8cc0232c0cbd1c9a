import { cpSync, existsSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decodeWav, type LLMContract, type STTContract, type TTSContract } from '@appfactory/sdk'
import { describe, expect, test } from 'vitest'
import { PluginHost } from '../src/index.js'
import { temporaryFolder, ttsPlugin, writePlugin } from './fixtures/plugins.js'

const sdkFolder = fileURLToPath(new URL('../../sdk', import.meta.url))

const languageModel = `
import { LLMContract } from '@appfactory/sdk'
export const seen = { finished: 0 }
export default class Counter extends LLMContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status, details: { ...seen, working: this.status === 'BUSY' } } }
  async complete(prompt, options) { return JSON.stringify({ prompt, ...options, signal: undefined }) }
  async chat(messages) { return { role: 'assistant', content: messages.at(-1).content.toUpperCase() } }
  async getModels() { return [{ id: 'counter' }] }
  async *streamComplete(prompt, { signal, maxTokens }) {
    try {
      for (let n = 0; n < maxTokens; n++) { signal.throwIfAborted(); yield 'w' + n + ' ' }
    } finally { seen.finished += 1 }
  }
}
`

const listener = `
import { STTContract } from '@appfactory/sdk'
export class Plugin extends STTContract {
  sessions = new Map()
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  async transcribe(audio, language = 'en', options) { return { text: audio.length + ' bytes', language, words: [{ word: 'a', startMs: 0, endMs: 5 }], metadata: { givenName: options.providerOptions } } }
  async getLanguages() { return [{ code: 'en-US', name: 'English' }] }
  async startStream() { const id = 's' + this.sessions.size; this.sessions.set(id, 0); return id }
  async feedAudio(id, chunk) { this.sessions.set(id, this.sessions.get(id) + chunk.length); return { partial: String(this.sessions.get(id)) } }
  async endStream(id) { return this.sessions.get(id) + ' bytes' }
}
`

async function hostWith(plugins: Record<string, [source: string, manifest?: Record<string, unknown>]>) {
  const root = temporaryFolder()
  for (const [name, [source, manifest]] of Object.entries(plugins)) writePlugin(root, name, source, manifest)
  return { root, host: new PluginHost({ pluginsDir: root, configDir: join(root, 'config') }) }
}

describe('a handle', () => {
  test('completes what a text-to-speech plugin returns', async () => {
    const { host } = await hostWith({ speaker: [ttsPlugin()] })
    await using _ = host
    const tts = await host.load<TTSContract>('speaker')
    const result = await tts.synthesize('Hello', 'one')
    expect(result).toMatchObject({
      format: 'wav',
      sampleRate: 16_000,
      channels: 1,
      durationMs: 50,
      voiceId: 'one',
    })
    expect(decodeWav(result.audio)?.data.length).toBe(1600)
    expect(await tts.getVoiceInfo('one')).toEqual({ id: 'one', name: 'One', language: 'en-US' })
    await expect(tts.getVoiceInfo('two')).rejects.toMatchObject({ codeName: 'TTS_VOICE_NOT_FOUND' })
  })

  test('streams sentence by sentence, from text that is still being written', async () => {
    const { host } = await hostWith({ speaker: [ttsPlugin()] })
    await using _ = host
    const tts = await host.load<TTSContract>('speaker')
    const heard: string[] = []
    let written = 0
    async function* write() {
      for (const piece of ['One. T', 'wo! ', 'Three', '.']) {
        written += 1
        yield piece
        // The plugin has spoken the first sentence before the last piece is written.
        if (written === 3) await expect.poll(() => heard.length).toBeGreaterThan(1)
      }
    }
    for await (const { text = '' } of tts.synthesizeStream(write())) heard.push(text)
    expect(heard).toEqual(['One.', 'Two!', 'Three.'])
  })

  test('an error of the text that is being written ends the stream with that error', async () => {
    const { host } = await hostWith({ speaker: [ttsPlugin()] })
    await using _ = host
    const tts = await host.load<TTSContract>('speaker')
    // biome-ignore lint/correctness/useYield: an input that fails before it has any
    async function* fail(): AsyncGenerator<string> {
      throw new RangeError('out of ink')
    }
    const stream = tts.synthesizeStream(fail())[Symbol.asyncIterator]()
    await expect(stream.next()).rejects.toMatchObject({
      message: expect.stringContaining('out of ink'),
    })
    expect((await tts.synthesize('still there')).format).toBe('wav')
  })

  test('carries bytes, sessions, word times and an author’s own maps through a speech-to-text plugin', async () => {
    const { host } = await hostWith({ listener: [listener, { contract: 'stt' }] })
    await using _ = host
    const stt = await host.load<STTContract>('listener')
    const heard = await stt.transcribe(new Uint8Array(1000), 'de', {
      providerOptions: { camelCase: 1, snake_case: 2 },
    })
    expect(heard).toEqual({
      text: '1000 bytes',
      language: 'de',
      words: [{ word: 'a', startMs: 0, endMs: 5 }],
      metadata: { givenName: { camelCase: 1, snake_case: 2 } },
    })
    const [one, two] = [await stt.startStream(), await stt.startStream()]
    expect(await stt.feedAudio(one, new Uint8Array(3))).toEqual({ partial: '3', final: null })
    expect(await stt.feedAudio(two, new Uint8Array(5))).toEqual({ partial: '5', final: null })
    expect(await stt.endStream(one)).toEqual({ text: '3 bytes' })
    async function* speak() {
      yield new Uint8Array(10)
      yield new Uint8Array(20)
    }
    const updates = []
    for await (const update of stt.transcribeStream(speak())) updates.push(update)
    expect(updates).toEqual([
      { partial: '10', final: null },
      { partial: '30', final: null },
      { partial: null, final: '30 bytes' },
    ])
  })

  test('gives a language model the contract’s defaults and completes its answers', async () => {
    const { host } = await hostWith({ counter: [languageModel, { contract: 'llm' }] })
    await using _ = host
    const llm = await host.load<LLMContract>('counter')
    const { text, finishReason } = await llm.complete('hi', { topP: 0.5 })
    expect(JSON.parse(text)).toEqual({ prompt: 'hi', maxTokens: 1024, temperature: 0.7, topP: 0.5 })
    expect(finishReason).toBe('stop')
    expect(await llm.chat([{ role: 'user', content: 'hi' }])).toEqual({
      message: { role: 'assistant', content: 'HI' },
      finishReason: 'stop',
    })
    const pieces = []
    for await (const piece of llm.streamChat([{ role: 'user', content: 'hi' }])) pieces.push(piece)
    expect(pieces).toEqual([{ text: 'HI', finishReason: 'stop' }])
  })

  test('break and abort stop the plugin’s generator; its finally runs', async () => {
    const { host } = await hostWith({ counter: [languageModel, { contract: 'llm' }] })
    await using _ = host
    const llm = await host.load<LLMContract>('counter')
    for await (const { text } of llm.streamComplete('go', { maxTokens: 1_000_000 }))
      if (text.startsWith('w40')) break
    expect((await llm.health()).details).toMatchObject({ finished: 1, working: false })
    const abort = new AbortController()
    const count = async () => {
      for await (const { text } of llm.streamComplete('go', { maxTokens: 1_000_000, signal: abort.signal }))
        if (text.startsWith('w40')) abort.abort()
    }
    await expect(count()).rejects.toMatchObject({ codeName: 'REQUEST_CANCELLED' })
    expect((await llm.health()).details).toMatchObject({ finished: 2, working: false })
    await expect(llm.complete('x', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      codeName: 'REQUEST_CANCELLED',
    })
  })

  test('refuses arguments that the contract does not know, before and behind the wire alike', async () => {
    const { host } = await hostWith({ speaker: [ttsPlugin()] })
    await using _ = host
    const tts = await host.load<TTSContract>('speaker')
    const wrong = { codeName: 'INVALID_PARAMS', message: expect.stringContaining('speed') }
    await expect(tts.synthesize('Hello', 'one', { speed: -1 })).rejects.toMatchObject(wrong)
    await expect(host.call('speaker', 'synthesize', { text: 'Hello', speed: -1 })).rejects.toMatchObject(
      wrong,
    )
    await expect(host.call('speaker', 'sing')).rejects.toMatchObject({
      codeName: 'METHOD_NOT_FOUND',
      message: expect.stringContaining('synthesize'),
    })
  })
})

test('a call that takes too long is cancelled in the plugin; its late answer is dropped and counted', async () => {
  const slow = ttsPlugin(`
    async synthesize(text, voice, { signal }) { await new Promise((done) => { signal.addEventListener('abort', () => { console.warn('told to stop'); setTimeout(done, 50) }) }); return super.synthesize(text) }
  `)
  const { host } = await hostWith({ slow: [slow] })
  await using _ = host
  const stopped = new Promise((resolve) =>
    host.on('log', ({ message }) => message === 'told to stop' && resolve(true)),
  )
  const tts = await host.load<TTSContract>('slow')
  await expect(tts.synthesize('Hello', undefined, { timeoutMs: 50 })).rejects.toMatchObject({
    codeName: 'CALL_TIMEOUT',
  })
  expect(await stopped).toBe(true)
  await expect.poll(async () => (await tts.health()).details).toMatchObject({ dropped_replies: 1 })
})

test('the plugin that was loaded last answers for its contract; when it goes, the one before does', async () => {
  const { host } = await hostWith({ first: [ttsPlugin()], second: [ttsPlugin()] })
  await using _ = host
  expect(host.active('tts')).toBeUndefined()
  await host.load('first')
  const second = await host.load('second')
  expect(host.active('tts')).toBe('second')
  await second.unload()
  expect(host.active('tts')).toBe('first')
})

test('a plugin built with another copy of the SDK runs under it', async () => {
  const { root, host } = await hostWith({
    speaker: [
      ttsPlugin(
        'async getVoices() { return [{ id: import.meta.resolve("@appfactory/sdk"), name: "", language: "en" }] }',
      ),
    ],
  })
  await using _ = host
  const copy = join(root, 'speaker/node_modules/@appfactory/sdk')
  cpSync(join(sdkFolder, 'dist'), join(copy, 'dist'), { recursive: true })
  cpSync(join(sdkFolder, 'package.json'), join(copy, 'package.json'))
  symlinkSync(join(sdkFolder, 'node_modules'), join(copy, 'node_modules'), 'junction')
  const tts = await host.load<TTSContract>('speaker')
  expect((await tts.getVoices())[0]?.id).toContain('speaker/node_modules')
  expect((await tts.synthesize('Hello')).durationMs).toBe(50)
})

test('a plugin without an SDK of its own gets the host’s', async () => {
  const { host } = await hostWith({
    speaker: [
      ttsPlugin(
        'async getVoices() { return [{ id: import.meta.resolve("@appfactory/sdk"), name: "", language: "en" }] }',
      ),
    ],
  })
  await using _ = host
  const tts = await host.load<TTSContract>('speaker')
  expect(fileURLToPath((await tts.getVoices())[0]?.id ?? '')).toContain(sdkFolder)
})

test('what a plugin prints goes to its log with its level, never into a message', async () => {
  const chatty = ttsPlugin(`
    async initialize() { console.log('to log'); console.error('an error'); console.debug('too quiet'); process.stdout.write('straight to stdout\\n') }
    async synthesize(text) { const { writeSync } = await import('node:fs'); writeSync(1, 'a native library\\n'); writeSync(1, 'no line end'); return super.synthesize(text) }
  `)
  const root = temporaryFolder()
  writePlugin(root, 'chatty', chatty)
  const host = new PluginHost({ pluginsDir: root, logDir: join(root, 'logs') })
  const events: string[] = []
  host.on('log', ({ level, message }) => events.push(`${level} ${message}`))
  const tts = await host.load<TTSContract>('chatty')
  expect((await tts.synthesize('Hello')).durationMs).toBe(50)
  expect((await tts.health()).details).toMatchObject({ noise: 1 })
  await host.close()
  expect(events).toEqual(
    expect.arrayContaining([
      'INFO to log',
      'ERROR an error',
      'WARNING straight to stdout',
      'WARNING stdout (not a message): a native library',
      'WARNING stdout (not a message): no line end',
    ]),
  )
  expect(events.join()).not.toContain('too quiet')
  const lines = readFileSync(join(root, 'logs/plugins.log'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines).toEqual(
    expect.arrayContaining([expect.objectContaining({ level: 'ERROR', plugin: 'chatty', msg: 'an error' })]),
  )
  expect(existsSync(join(root, 'logs/launcher.log'))).toBe(true)
})

test('a plugin does not see the host’s secrets', async () => {
  process.env['SECRET_TOKEN'] = 'x'
  const { host } = await hostWith({
    speaker: [
      ttsPlugin(
        'async healthCheck() { return { status: this.status, details: { env: { ...process.env } } } }',
      ),
    ],
  })
  await using _ = host
  const { details } = await (await host.load('speaker')).health()
  const env = details?.['env'] as Record<string, string>
  expect(env['PATH']).toBe(process.env['PATH'])
  expect(Object.keys(env).filter((name) => /SECRET|NODE_OPTIONS|^LD_|^npm_/.test(name))).toEqual([])
})

test('health says what the host measured where the plugin does not', async () => {
  const { host } = await hostWith({
    speaker: [ttsPlugin()],
    teller: [
      ttsPlugin('healthCheck() { return { status: "ERROR", message: "cold", latencyMs: 7, memoryMb: 9 } }'),
    ],
  })
  await using _ = host
  await Promise.all([host.load('speaker'), host.load('teller')])
  const { speaker, teller } = await host.health()
  expect(speaker).toMatchObject({ status: 'READY', message: 'fine' })
  expect(speaker?.memoryMb).toBeGreaterThan(10)
  expect(speaker?.latencyMs).toBeGreaterThan(0)
  expect(teller).toMatchObject({ status: 'ERROR', message: 'cold', latencyMs: 7, memoryMb: 9 })
})

test('status events tell a plugin’s life in order', async () => {
  const { host } = await hostWith({ speaker: [ttsPlugin()] })
  const seen: string[] = []
  host.on('status', ({ plugin, status }) => seen.push(`${plugin} ${status}`))
  await (await host.load('speaker')).unload()
  await host.close()
  expect(seen).toEqual(
    ['INITIALIZING', 'READY', 'SHUTTING_DOWN', 'STOPPED'].map((status) => `speaker ${status}`),
  )
})
