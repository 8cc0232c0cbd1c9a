import { fileURLToPath } from 'node:url'
import { decodeWav, encodeWav, type PluginStatus, type SynthesisResult } from '@appfactory/sdk'
import { checkContract, pluginTest } from '@appfactory/sdk/testing/vitest'
import { afterAll, describe, expect, test as plainTest } from 'vitest'
import { z } from 'zod'
import { GoodOwn, GoodStt, GoodTts } from './good-plugins.js'

const lives: string[] = []

class Tracked extends GoodTts {
  static readonly configSchema = z.strictObject({ voice: z.string(), speed: z.number().default(1) })
  config: unknown

  override initialize(config: unknown): void {
    lives.push('initialize')
    this.config = config
  }
  override shutdown(): void {
    lives.push('shutdown')
  }
}

const test = pluginTest({ plugin: Tracked, config: { voice: 'low' } })

describe('plugin', () => {
  test('is initialized, with the defaults of its schema', async ({ plugin }) => {
    expect(plugin.status).toBe('READY' satisfies PluginStatus)
    expect(plugin.config).toEqual({ voice: 'low', speed: 1 })
    expect(plugin.name).toBe('tested_plugin')
    const { audio } = (await plugin.synthesize('Hello')) as SynthesisResult
    expect(audio.length).toBeGreaterThan(44)
  })

  test('is another one in each test, and the one before is shut down', async ({ plugin }) => {
    expect(lives).toEqual(['initialize', 'shutdown', 'initialize'])
    expect(plugin.healthCheck().details).toEqual({ calls: 0 })
  })

  plainTest('is not made for a test that does not name it', () => {
    expect(lives).toEqual(['initialize', 'shutdown', 'initialize', 'shutdown'])
  })
})

describe('health', () => {
  test('is what the plugin says, completed', async ({ health }) => {
    expect(await health()).toMatchObject({ status: 'READY', message: 'fine', memoryMb: expect.any(Number) })
  })

  class Ill extends GoodTts {
    override healthCheck() {
      return { status: 'FINE' as never }
    }
  }
  pluginTest({ plugin: Ill })('that makes no sense is an error', async ({ health }) => {
    await expect(health()).rejects.toThrow(/must return \{ status \}/)
  })
})

describe('calls', () => {
  test('are written down with arguments, results, pieces and errors', async ({ plugin, calls }) => {
    expect(calls).toEqual([])
    plugin.getVoices()
    await plugin.getVoiceInfo('high')
    await expect(plugin.synthesize('Hello', 'nobody')).rejects.toThrow()
    for await (const _piece of plugin.synthesizeStream('One. Two.'));
    expect(calls.map(({ method }) => method)).toEqual([
      'getVoices',
      'getVoiceInfo',
      'synthesize',
      'synthesizeStream',
    ])
    expect(calls[0]).toMatchObject({ args: [], result: [{ id: 'low' }, { id: 'high' }] })
    expect(calls[1]).toMatchObject({ args: ['high'], result: { id: 'high' } })
    expect(calls[2]).toMatchObject({ args: ['Hello', 'nobody'], error: { codeName: 'TTS_VOICE_NOT_FOUND' } })
    expect(calls[3]?.result).toHaveLength(2)
  })
})

describe('audio', () => {
  const quiet = pluginTest({ plugin: GoodStt, audio: { durationMs: 300, sampleRate: 8000 } })
  const own = encodeWav(new Int16Array(800), { sampleRate: 8000 })

  quiet('is a WAV file without speech, whole or in parts', async ({ audio, plugin }) => {
    expect(audio).toMatchObject({ sampleRate: 8000, durationMs: 300 })
    expect(await plugin.transcribe(audio.wav)).toBe(`${44 + 4800} bytes`)
    const parts: Uint8Array[] = []
    for await (const part of audio.chunks(50)) parts.push(part)
    expect(parts.map(({ length }) => length)).toEqual([800, 800, 800, 800, 800, 800, 44])
    expect(Buffer.concat(parts).equals(audio.wav)).toBe(true)
  })

  pluginTest({ plugin: GoodStt, audio: own })('may be the author’s own', ({ audio }) => {
    expect(audio).toMatchObject({ wav: own, durationMs: 100 })
  })
})

describe('host', () => {
  const speaker = new URL('./speaker', import.meta.url)
  let pid = 0

  pluginTest({ plugin: Tracked, dir: speaker, config: { rate: 8000 } })(
    'is the built plugin in a process of its own, with complete results',
    async ({ host }) => {
      expect(host.name).toBe('speaker')
      expect(await host.synthesize('Hello')).toMatchObject({
        format: 'wav',
        sampleRate: 8000,
        durationMs: 50,
      })
      await expect(host.synthesize(42 as never)).rejects.toMatchObject({ codeName: 'INVALID_PARAMS' })
      pid = Number((await host.health()).details?.['pid'])
      expect(() => process.kill(pid, 0)).not.toThrow()
    },
  )

  plainTest('is not there any more after the test', () => {
    expect(pid).toBeGreaterThan(0)
    expect(pid).not.toBe(process.pid)
    expect(() => process.kill(pid, 0)).toThrow()
  })

  checkContract(speaker, { config: { rate: 8000 }, only: ['tts.synthesize.audio', 'lifecycle.*'] })
})

describe('matchers', () => {
  const tone = encodeWav(new Int16Array(1600).fill(5000), { sampleRate: 16_000 })
  const silence = encodeWav(new Int16Array(1600), { sampleRate: 16_000 })
  const raw = { audio: new Uint8Array(20), format: 'pcm_s16le', sampleRate: 8000 }

  plainTest('toBeWav looks at what is given', () => {
    expect(tone).toBeWav()
    expect({ audio: tone }).toBeWav({ sampleRate: 16_000, channels: 1, bitsPerSample: 16, durationMs: 110 })
    expect(tone).not.toBeWav({ sampleRate: 8000 })
    expect(tone).not.toBeWav({ durationMs: 130 })
    expect(raw).not.toBeWav()
    expect('wav').not.toBeWav()
    expect(() => expect(tone).toBeWav({ sampleRate: 8000 })).toThrow(/sampleRate 8000, but it is 16000/)
    expect(() => expect(tone).not.toBeWav()).toThrow(/3244 bytes of wav/)
  })

  plainTest('toBePlayable wants a known format and samples', () => {
    expect(tone).toBePlayable()
    expect(raw).toBePlayable()
    expect(encodeWav(new Int16Array(), { sampleRate: 8000 })).not.toBePlayable()
    expect(new Uint8Array(100)).not.toBePlayable()
    expect(null).not.toBePlayable()
    expect(() => expect(new Uint8Array()).toBePlayable()).toThrow(/no bytes/)
  })

  plainTest('toBeSilent listens', () => {
    expect(silence).toBeSilent()
    expect(tone).not.toBeSilent()
    expect(tone).toBeSilent({ peak: 5000 })
    expect(raw).not.toBeSilent()
    expect(() => expect(tone).toBeSilent()).toThrow(/loudest sample is 5000/)
  })

  test('work on what a plugin answers', async ({ plugin }) => {
    expect(await plugin.synthesize('Hello')).toBeWav({ durationMs: 50 })
    expect(decodeWav(((await plugin.synthesize('Hi')) as SynthesisResult).audio)).toBeDefined()
  })
})

const told: string[] = []
class Told extends GoodOwn {
  override shutdown(): void {
    told.push('shutdown')
  }
}

describe('checkContract', () => {
  checkContract(Told)
  afterAll(() => {
    // Its own shutdown checks, and the instance that was left.
    expect(told).toHaveLength(5)
  })
})

pluginTest({ plugin: new URL('./speaker', import.meta.url), config: { rate: 8000 } })(
  'a folder stands for the class in its entry point',
  async ({ plugin }) => {
    expect([plugin.name, plugin.version, plugin.status]).toEqual(['speaker', '2.0.0', 'READY'])
  },
)

plainTest('the package that an author imports does not bring the tests along', async () => {
  const { readFileSync } = await import('node:fs')
  const index = fileURLToPath(import.meta.resolve('@appfactory/sdk'))
  expect(readFileSync(index, 'utf8')).not.toMatch(/testing|vitest/)
})
