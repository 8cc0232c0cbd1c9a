import { createHash, randomBytes } from 'node:crypto'
import type { STTContract, TTSContract } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import { internalsOf } from '../../src/host.js'
import { PluginHost } from '../../src/index.js'
import { temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

const mebibyte = 1024 * 1024

/** Says what it heard as a digest, so that every byte counts. */
const listener = `
import { createHash } from 'node:crypto'
import { STTContract } from '@appfactory/sdk'
const digest = (bytes) => createHash('sha256').update(bytes).digest('hex')
export default class extends STTContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  async transcribe(audio) { return { text: digest(audio), metadata: { kind: audio.constructor.name } } }
  async getLanguages() { return [] }
  async *transcribeStream(audio) { for await (const chunk of audio) yield { partial: digest(chunk), final: null } }
}`

/** Speaks as many bytes as the text says, of a kind that tells where a byte is missing; a second word plays a trick. */
const speaker = ttsPlugin(`
  bytes(size) { return Buffer.alloc(size, Buffer.from(Array.from({ length: 251 }, (_, index) => index))) }
  async synthesize(text) {
    const [size, trick] = text.split(' ')
    const { writeSync } = await import('node:fs')
    if (trick === 'garbage') writeSync(3, Buffer.alloc(4096, 255))
    if (trick === 'orphans') for (const number of [1e6, 1e6 + 1]) { const header = Buffer.alloc(116); header.writeUInt32BE(number, 0); header.writeUInt32BE(67108864, 4); header.writeUInt32BE(100, 12); writeSync(3, header) }
    if (trick === 'noise') writeSync(1, 'progress 50% ')
    if (trick === 'exit') setImmediate(() => setImmediate(() => process.exit(3)))
    text = size
    return { audio: this.bytes(Number(text)), format: 'pcm_s16le', sampleRate: 8000, channels: 1 }
  }
  async *synthesizeStream(text) { for (const size of text.split(' ')) yield { ...(await this.synthesize(size)), text: size } }
`)

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function expected(size: number): Buffer {
  return Buffer.alloc(size, Buffer.from(Array.from({ length: 251 }, (_, index) => index)))
}

test('bytes of every size reach a plugin and come back from it, as they are', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', speaker)
  writePlugin(root, 'listener', listener, { contract: 'stt' })
  await using host = new PluginHost({ pluginsDir: root })
  const tts = await host.load<TTSContract>('speaker')
  const stt = await host.load<STTContract>('listener')
  const sizes = [0, 1, 2047, 2048, 65_536, 65_537, 3 * mebibyte]
  const spoken = await Promise.all(sizes.map((size) => tts.synthesize(String(size))))
  expect(spoken.map(({ audio }, index) => expected(sizes[index] ?? 0).equals(audio))).toEqual(
    sizes.map(() => true),
  )
  const recordings = sizes.map((size) => randomBytes(size))
  const heard = await Promise.all(recordings.map((audio) => stt.transcribe(audio)))
  expect(heard.map(({ text }) => text)).toEqual(recordings.map(digestOf))
  // Both ends get what the type says, and no Buffer.
  expect(new Set(spoken.map(({ audio }) => audio.constructor.name))).toEqual(new Set(['Uint8Array']))
  expect(new Set(heard.map(({ metadata }) => metadata?.['kind']))).toEqual(new Set(['Uint8Array']))
})

test('pieces stay in order, though some bring bytes beside them and others within', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', speaker)
  writePlugin(root, 'listener', listener, { contract: 'stt' })
  await using host = new PluginHost({ pluginsDir: root })
  const tts = await host.load<TTSContract>('speaker')
  const stt = await host.load<STTContract>('listener')
  const sizes = Array.from({ length: 60 }, (_, index) => (index % 3 === 0 ? 200_000 : index))
  const got: string[] = []
  for await (const { text = '', audio } of tts.synthesizeStream(sizes.join(' ')))
    got.push(audio.length === Number(text) ? text : 'wrong')
  expect(got).toEqual(sizes.map(String))
  const chunks = sizes.map((size) => randomBytes(size))
  async function* speak() {
    yield* chunks
  }
  const heard: (string | null)[] = []
  for await (const { partial } of stt.transcribeStream(speak())) heard.push(partial)
  expect(heard).toEqual(chunks.map(digestOf))
})

test.each([2048, 4000, 60_000, 300_000])(
  'one buffer of %i bytes that is filled again for each item arrives torn, or with the content of a later one',
  async (size) => {
    const root = temporaryFolder()
    writePlugin(root, 'listener', listener, { contract: 'stt' })
    await using host = new PluginHost({ pluginsDir: root })
    const stt = await host.load<STTContract>('listener')
    async function* speak(buffer = Buffer.alloc(size)) {
      for (let item = 0; item < 100; item++) yield buffer.fill(item)
    }
    const heard: (string | null)[] = []
    for await (const { partial } of stt.transcribeStream(speak())) heard.push(partial)
    expect(heard).toEqual(Array.from({ length: 100 }, (_, item) => digestOf(Buffer.alloc(size, item))))
  },
)

test('a client that speaks plain JSON gets base64', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', speaker)
  await using host = new PluginHost({ pluginsDir: root })
  await host.load('speaker')
  const { audio_b64: audio } = (await host.call('speaker', 'synthesize', { text: '100000' })) as {
    audio_b64: string
  }
  expect(expected(100_000).equals(Buffer.from(audio, 'base64'))).toBe(true)
  const pieces = []
  for await (const piece of host.stream('speaker', 'synthesize_stream', { text: '9000' })) pieces.push(piece)
  expect(pieces).toEqual([expect.objectContaining({ audio_b64: expected(9000).toString('base64') })])
})

test('an argument that is base64 on the wire may be given as bytes', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'listener', listener, { contract: 'stt' })
  await using host = new PluginHost({ pluginsDir: root })
  await host.load('listener')
  for (const audio of [randomBytes(10), new Uint8Array(20 * mebibyte)]) {
    const args = { audio_b64: audio }
    expect(await host.call('listener', 'transcribe', args)).toMatchObject({ text: digestOf(audio) })
    expect(args.audio_b64).toBe(audio)
  }
  // Not even the message of what is wrong with it takes long.
  await expect(
    host.call('listener', 'transcribe', { audio: new Uint8Array(20 * mebibyte) }, { timeoutMs: 5000 }),
  ).rejects.toMatchObject({ codeName: 'INVALID_PARAMS', message: expect.stringContaining('audio_b64') })
})

test('a server of the host, which writes results as JSON, gets bytes as bytes until then', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', speaker)
  await using host = new PluginHost({ pluginsDir: root })
  await host.load('speaker')
  const { calls } = internalsOf(host)
  const result = await calls.call('speaker', 'synthesize', { text: '100000' }, {})
  expect(result).not.toMatchObject({ audio_b64: expect.any(String) })
  const audio = expected(100_000).toString('base64')
  expect(JSON.parse(JSON.stringify(result))).toMatchObject({ audio_b64: audio })
  for await (const piece of calls.stream('speaker', 'synthesize_stream', { text: '9000' }, {})) {
    expect(piece).not.toMatchObject({ audio_b64: expect.any(String) })
    expect(JSON.parse(JSON.stringify(piece))).toMatchObject({ audio_b64: expected(9000).toString('base64') })
  }
})

test('garbage on the pipe of bytes fails what was on it; other calls live, and later bytes come in their messages', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', speaker)
  await using host = new PluginHost({ pluginsDir: root })
  const tts = await host.load<TTSContract>('speaker')
  const fate = await Promise.allSettled([
    tts.synthesize('300000 garbage'),
    tts.getVoices(),
    tts.synthesize('100'),
  ])
  expect(fate.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
  expect(fate[0]).toMatchObject({
    reason: { codeName: 'INTERNAL_ERROR', message: expect.stringContaining('bytes') },
  })
  expect(expected(300_000).equals((await tts.synthesize('300000')).audio)).toBe(true)
})

test('a thousand large answers at once all arrive', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', speaker)
  await using host = new PluginHost({ pluginsDir: root })
  const tts = await host.load<TTSContract>('speaker')
  const lengths = await Promise.all(
    Array.from({ length: 1000 }, async () => (await tts.synthesize('200000')).audio.length),
  )
  expect(new Set(lengths)).toEqual(new Set([200_000]))
})

test('bytes that no message refers to, begun and never ended, take no room from others', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', speaker)
  await using host = new PluginHost({ pluginsDir: root })
  const tts = await host.load<TTSContract>('speaker')
  for (let round = 0; round < 3; round++) {
    expect(expected(300_000).equals((await tts.synthesize('300000 orphans')).audio)).toBe(true)
    expect((await tts.synthesize(String(40 * mebibyte))).audio.length).toBe(40 * mebibyte)
  }
  expect((await tts.health()).details).toMatchObject({ restarts: 0 })
})

test('what is printed into the line of an answer does not part it from its bytes', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', speaker)
  await using host = new PluginHost({ pluginsDir: root })
  const tts = await host.load<TTSContract>('speaker')
  expect(expected(300_000).equals((await tts.synthesize('300000 noise')).audio)).toBe(true)
  expect((await tts.health()).details).toMatchObject({ restarts: 0 })
})

test('bytes whose plugin exits right after its answer arrive whole', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', speaker)
  for (const size of [3000, 300_000, 20 * mebibyte]) {
    await using host = new PluginHost({ pluginsDir: root })
    const tts = await host.load<TTSContract>('speaker')
    expect(expected(size).equals((await tts.synthesize(`${size} exit`)).audio)).toBe(true)
  }
})

test('a call that is cancelled while its bytes are on their way is not begun', async () => {
  const root = temporaryFolder()
  writePlugin(
    root,
    'listener',
    `${listener.replace('async transcribe(audio) {', 'async transcribe(audio) { console.log("heard " + audio.length);')}`,
    { contract: 'stt' },
  )
  await using host = new PluginHost({ pluginsDir: root })
  const stt = await host.load<STTContract>('listener')
  const heard: string[] = []
  host.on('log', ({ message }) => message.startsWith('heard') && heard.push(message))
  const cancelling = new AbortController()
  const call = stt.transcribe(randomBytes(50 * mebibyte), undefined, { signal: cancelling.signal })
  setImmediate(() => cancelling.abort())
  await expect(call).rejects.toMatchObject({ codeName: 'REQUEST_CANCELLED' })
  await stt.transcribe(randomBytes(5))
  await expect.poll(() => heard).toEqual(['heard 5'])
})

test('a plugin that sends a line over the limit is stopped, its calls fail, and it is restarted', async () => {
  const root = temporaryFolder()
  const flooding = ttsPlugin(`
    async synthesize(text) {
      if (text === 'flood') for (let n = 0; n < 200; n++) await writePart()
      return super.synthesize(text)
    }`)
  // Where messages go; who has no room there waits.
  const writing = `import { writeSync } from 'node:fs'
    async function writePart() {
      for (let part = 'x'.repeat(65536); part !== ''; )
        try { part = part.slice(writeSync(4, part)) } catch { await new Promise(setImmediate) }
    }`
  writePlugin(root, 'flooding', `${writing}\n${flooding}`)
  await using host = new PluginHost({
    pluginsDir: root,
    restart: { firstDelayMs: 1 },
    maxMessageBytes: mebibyte,
  })
  const tts = await host.load<TTSContract>('flooding')
  const before = process.memoryUsage.rss()
  await expect(tts.synthesize('flood')).rejects.toMatchObject({
    codeName: 'PLUGIN_CRASHED',
    message: expect.stringContaining('1048576 bytes'),
  })
  expect(process.memoryUsage.rss() - before).toBeLessThan(64 * mebibyte)
  expect((await tts.synthesize('again')).format).toBe('wav')
})

test('a result that is too large for a message is MESSAGE_TOO_LARGE, and nothing else suffers', async () => {
  const root = temporaryFolder()
  writePlugin(
    root,
    'large',
    ttsPlugin(`async getVoices() { return [{ id: 'x'.repeat(2e6), name: '', language: '' }] }`),
  )
  await using host = new PluginHost({ pluginsDir: root, maxMessageBytes: mebibyte })
  const tts = await host.load<TTSContract>('large')
  await expect(tts.getVoices()).rejects.toMatchObject({ codeName: 'MESSAGE_TOO_LARGE' })
  await expect(tts.synthesize('x'.repeat(2e6))).rejects.toMatchObject({ codeName: 'MESSAGE_TOO_LARGE' })
  expect((await tts.synthesize('again')).format).toBe('wav')
})

test('1 MB on stderr in one go stalls nothing, and its end is in the crash report', async () => {
  const root = temporaryFolder()
  const noisy = ttsPlugin(`
    async synthesize(text) {
      if (text === 'noise') process.stderr.write('x'.repeat(1e6) + '\\n')
      if (text === 'crash') { process.stderr.write('y'.repeat(1e6) + ' the end'); process.exit(1) }
      return super.synthesize(text)
    }`)
  writePlugin(root, 'noisy', noisy)
  await using host = new PluginHost({ pluginsDir: root, restart: { firstDelayMs: 1 } })
  const tts = await host.load<TTSContract>('noisy')
  expect((await tts.synthesize('noise')).format).toBe('wav')
  const crash = await tts.synthesize('crash').catch((error: unknown) => error)
  const { stderr } = (crash as { data: { stderr: string } }).data
  expect(stderr).toMatch(/y the end$/)
  expect(stderr.length).toBeLessThan(10_000)
})
