import { decodeWav, PluginError, PluginStatus, toMono16 } from '@appfactory/sdk'
import { beforeEach, describe, expect, it } from 'vitest'
import TonePlugin from '../src/index.js'

let plugin: TonePlugin

beforeEach(async () => {
  plugin = new TonePlugin()
  await plugin.initialize({})
})

function samplesOf(audio: Uint8Array): Int16Array {
  const wav = decodeWav(audio)
  if (!wav) throw new Error('not a WAV file')
  return toMono16(wav)
}

function peakOf(audio: Uint8Array): number {
  return samplesOf(audio).reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0)
}

describe('synthesize', () => {
  it('makes 80 ms of tone for a letter and 60 ms of silence for a space', () => {
    const speech = plugin.synthesize('ab c')
    expect(speech).toMatchObject({ format: 'wav', sampleRate: 24_000, channels: 1, voiceId: 'sine' })
    expect(speech.durationMs).toBeCloseTo(3 * 80 + 60)
    const samples = samplesOf(speech.audio)
    expect(samples.length).toBe(24 * 300)
    const pause = samples.subarray(24 * 160, 24 * 220)
    expect(pause.every((sample) => sample === 0)).toBe(true)
  })

  it('is deterministic, and tells letters and voices apart', () => {
    expect(plugin.synthesize('hello').audio).toEqual(plugin.synthesize('hello').audio)
    expect(plugin.synthesize('a').audio).not.toEqual(plugin.synthesize('b').audio)
    const perVoice = ['sine', 'square', 'triangle', 'sawtooth'].map((voice) =>
      Buffer.from(plugin.synthesize('hello', voice).audio).toString('base64'),
    )
    expect(new Set(perVoice).size).toBe(4)
  })

  it('plays "a" at the pitch that its letter has', () => {
    const samples = samplesOf(plugin.synthesize('a', 'sine', { sampleRate: 48_000 }).audio)
    const rises = samples.filter((sample, index) => sample >= 0 && (samples[index - 1] ?? 0) < 0).length
    // "a" is 97, the eighth tone of the scale: 16 semitones over middle C, that is 659 Hz.
    expect(rises / 0.08).toBeGreaterThan(620)
    expect(rises / 0.08).toBeLessThan(690)
  })

  it('obeys speed, volume and sampleRate', () => {
    const normal = plugin.synthesize('hello')
    expect(plugin.synthesize('hello', undefined, { speed: 2 }).durationMs).toBeCloseTo(200)
    expect(plugin.synthesize('hello', undefined, { sampleRate: 8000 })).toMatchObject({ sampleRate: 8000 })
    expect(peakOf(plugin.synthesize('hello', undefined, { volume: 0.5 }).audio)).toBeCloseTo(
      peakOf(normal.audio) / 2,
      -2,
    )
    expect(peakOf(plugin.synthesize('hello', undefined, { volume: 0 }).audio)).toBe(0)
  })

  it('cuts a volume that is too loud instead of wrapping it round', () => {
    const samples = samplesOf(plugin.synthesize('a', 'square', { volume: 100 }).audio)
    expect(samples[120]).toBe(32_767)
  })

  it('takes the defaults of its configuration', async () => {
    const configured = new TonePlugin()
    await configured.initialize({ voice: 'square', sample_rate: 16_000 })
    expect(configured.synthesize('hi')).toMatchObject({ voiceId: 'square', sampleRate: 16_000 })
  })

  it.each([
    ['nothing', '', 'TTS_SYNTHESIS_FAILED'],
    ['white space', ' \n\t', 'TTS_SYNTHESIS_FAILED'],
    ['too much', 'a'.repeat(10_001), 'TTS_TEXT_TOO_LONG'],
  ])('refuses %s', (_name, text, codeName) => {
    expect(() => plugin.synthesize(text)).toThrowError(expect.objectContaining({ codeName }))
  })

  it('refuses an unknown voice, naming the known ones, and an unknown format', () => {
    expect(() => plugin.synthesize('hi', 'toString')).toThrowError(/no voice "toString".*sine, square/)
    expect(() => plugin.synthesize('hi', 'x')).toThrowError(PluginError)
    expect(() => plugin.synthesize('hi', 'sine', { format: 'mp3' })).toThrowError(/wav, not mp3/)
  })

  it('speaks any character, a surrogate pair as one', () => {
    expect(plugin.synthesize('😀').durationMs).toBeCloseTo(80)
  })
})

describe('voices', () => {
  it('lists four and describes one', async () => {
    expect(plugin.getVoices().map(({ id }) => id)).toEqual(['sine', 'square', 'triangle', 'sawtooth'])
    expect(await plugin.getVoiceInfo('square')).toMatchObject({ name: 'Square wave' })
    await expect(plugin.getVoiceInfo('nobody')).rejects.toMatchObject({ codeName: 'TTS_VOICE_NOT_FOUND' })
  })
})

describe('lifecycle', () => {
  it('loads the engine on first use and drops it at shutdown', async () => {
    expect(plugin.healthCheck()).toMatchObject({
      status: PluginStatus.READY,
      details: { engine_loaded: false },
    })
    plugin.synthesize('hi')
    expect(plugin.healthCheck().details).toMatchObject({ engine_loaded: true, requests_processed: 1 })
    await plugin.shutdown()
    expect(plugin.healthCheck()).toMatchObject({
      status: PluginStatus.STOPPED,
      message: 'Not ready',
      details: { engine_loaded: false },
    })
  })

  it('hands its counts to a successor, which ignores what it does not understand', async () => {
    plugin.synthesize('hello')
    const successor = new TonePlugin()
    await successor.initialize({})
    successor.restoreState(JSON.parse(JSON.stringify(plugin.captureState())))
    expect(successor.healthCheck().details).toMatchObject({ requests_processed: 1, characters_spoken: 5 })
    successor.restoreState('nonsense')
    expect(successor.healthCheck().details).toMatchObject({ requests_processed: 0 })
  })
})
