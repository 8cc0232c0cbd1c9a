import type { AudioChunk, LLMContract, TTSContract } from '@appfactory/sdk'
import { sniffAudio } from '@appfactory/sdk'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FallbackOptions, type PluginHandle, PluginHost } from '../../src/index.js'
import { makeFolder } from '../fixtures/plugins.js'
import { writeEngines } from './engines.js'

const folder = makeFolder()
let host: PluginHost

beforeAll(async () => {
  writeEngines(folder.path)
  host = new PluginHost({ pluginsDir: folder.path, restart: { firstDelayMs: 1, maxCrashes: 100 } })
  await Promise.all(['one', 'two', 'three', 'filed'].map((name) => host.load(name)))
})

afterAll(async () => {
  await host.close({ force: true })
  folder.remove()
})

let names = 0

function voices(
  plugins: string[] = ['one', 'three'],
  options: FallbackOptions = {},
): Promise<PluginHandle<TTSContract>> {
  names += 1
  return host.fallback(`voice-${names}`, plugins, { probeIntervalMs: Number.POSITIVE_INFINITY, ...options })
}

type Given = Parameters<PluginHandle<TTSContract>['synthesizeStream']>

/** Who has made each piece, and what the stream failed with. */
async function read(voice: PluginHandle<TTSContract>, ...given: Given) {
  const pieces: AudioChunk[] = []
  try {
    for await (const piece of voice.synthesizeStream(...given)) pieces.push(piece)
    return { speakers: pieces.map(speakerOf), pieces, error: undefined }
  } catch (error) {
    return { speakers: pieces.map(speakerOf), pieces, error }
  }
}

function speakerOf({ metadata, ...piece }: AudioChunk): unknown {
  return 'restarted' in piece ? `again ${metadata?.['plugin']}` : metadata?.['plugin']
}

async function* pieceByPiece(...parts: string[]): AsyncGenerator<string> {
  for (const part of parts) yield part
}

test.each([
  ['fails before its first piece', 'fail@one '],
  ['is killed before its first piece', 'crash@one '],
  ['ends without a piece', 'none@one '],
])('the next plugin speaks where one %s', async (_, text) => {
  expect(await read(await voices(), text)).toMatchObject({ speakers: ['three', 'three', 'three'] })
})

test('the next one speaks where the first piece takes longer than an attempt may', async () => {
  const voice = await voices(['one', 'three'], { attemptTimeoutMs: 30 })
  expect(await read(voice, 'hang@one ')).toMatchObject({ speakers: ['three', 'three', 'three'] })
})

test.each(['late@one ', 'die@one '])(
  'after its first piece, %s is an error, and nothing is told twice',
  async (text) => {
    const { speakers, error } = await read(await voices(), text)
    expect(speakers).toEqual(['one'])
    expect(error).toMatchObject({ codeName: expect.stringMatching(/INTERNAL_ERROR|PLUGIN_CRASHED/) })
  },
)

test('a stream that may begin anew says so, and no piece of the old plugin comes behind', async () => {
  const options = { fallback: 'restart' as const }
  const restarted = { speakers: ['one', 'again three', 'three', 'three'], error: undefined }
  expect(await read(await voices(), 'late@one ', undefined, options)).toMatchObject(restarted)
  const streamed = pieceByPiece('late@one ', 'and so on')
  expect(await read(await voices(), streamed, undefined, options)).toMatchObject(restarted)
  const twice = await read(await voices(), 'late@one late@three ', undefined, options)
  expect(twice.speakers).toEqual(['one', 'again three'])
  expect(twice.error).toMatchObject({ data: { attempts: [{ plugin: 'one' }, { plugin: 'three' }] } })
})

test('a text that arrives piece by piece reaches the next plugin from its beginning', async () => {
  const { pieces } = await read(await voices(), pieceByPiece('fail@one ', 'and ', 'so on'))
  expect(pieces.map(({ metadata }) => metadata)).toMatchObject([
    { plugin: 'three', text: 'fail@one and so on' },
    {},
    {},
  ])
})

test('a text whose own source fails is the caller’s fault', async () => {
  async function* broken(): AsyncGenerator<string> {
    yield 'Hello'
    throw new Error('the typist left')
  }
  const voice = await voices(['one', 'three'], { leaveAfter: 1 })
  expect(await read(voice, broken())).toMatchObject({ speakers: [], error: expect.anything() })
  expect((await voice.health()).details).toMatchObject({ serving: 'one' })
})

test('a stream that is left while the first plugin hangs does not go on to the next', async () => {
  const voice = await voices(['one', 'three'], { leaveAfter: 1 })
  const stream = voice.synthesizeStream('hang@one ')[Symbol.asyncIterator]()
  const first = stream.next()
  const open = async (): Promise<unknown> => (await host.health('one')).details?.['open_streams']
  await expect.poll(open, { interval: 5 }).toBe(1)
  await stream.return?.()
  await first.catch(() => {})
  await expect.poll(open, { interval: 5 }).toBe(0)
  expect((await voice.health()).details).toMatchObject({ serving: 'one' })
})

test('text falls back as sound does', async () => {
  const text = await host.fallback<LLMContract>('text', ['llm_one', 'llm_two'])
  const pieces = []
  for await (const piece of text.streamChat([{ role: 'user', content: 'slow down' }])) pieces.push(piece.text)
  expect(pieces).toEqual(['llm_two'])
})

test('sound has the rate that the first plugin has, or that was promised', async () => {
  const learned = await voices(['one', 'two'])
  expect(await learned.synthesize('Hello')).toMatchObject({ sampleRate: 24_000 })
  const other = await learned.synthesize('fail@one ')
  expect(other).toMatchObject({ sampleRate: 24_000, metadata: { plugin: 'two' } })
  // Two speaks for a tenth of a second.
  expect(Math.abs(other.audio.length / 2 - 2400)).toBeLessThanOrEqual(1)
  const { pieces } = await read(learned, 'fail@one ')
  expect(new Set(pieces.map(({ sampleRate }) => sampleRate))).toEqual(new Set([24_000]))
  const samples = pieces.reduce((sum, { audio }) => sum + audio.length / 2, 0)
  expect(Math.abs(samples - 3 * 2400)).toBeLessThanOrEqual(1)
  const promised = await voices(['one', 'two'], { sampleRate: 8000 })
  expect(await promised.synthesize('Hello')).toMatchObject({ sampleRate: 8000 })
  const asked = await promised.synthesize('Hello', undefined, { sampleRate: 48_000 })
  expect([asked.sampleRate, asked.audio.length / 2]).toEqual([48_000, expect.closeTo(4800, -1)])
})

test('a WAV file of another rate stays a file that is whole', async () => {
  const voice = await voices(['filed'], { sampleRate: 8000 })
  const { audio, sampleRate } = await voice.synthesize('Hello')
  expect(sampleRate).toBe(8000)
  expect(sniffAudio(audio)).toMatchObject({ format: 'wav', sampleRate: 8000, channels: 2, durationMs: 100 })
  const wire = await host.call(voice.name, 'synthesize', { text: 'Hello' })
  expect(wire).toMatchObject({ audio_b64: Buffer.from(audio).toString('base64'), sample_rate: 8000 })
})
