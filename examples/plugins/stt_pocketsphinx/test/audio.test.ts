import { encodeWav } from '@appfactory/sdk'
import { describe, expect, it } from 'vitest'
import { AudioInput, readAudio } from '../src/audio-input.js'
import { plainWords } from '../src/recogniser.js'
import { Resampler } from '../src/resampler.js'
import { bytesOf, cut } from './speech.js'

const ramp = Int16Array.from({ length: 1000 }, (_, index) => index * 30 - 15_000)

function feed(input: AudioInput, bytes: Uint8Array, length: number): number[] {
  return [...cut(bytes, length)].flatMap((chunk) => [...(input.push(chunk)?.samples ?? [])])
}

describe('Resampler', () => {
  function sine(hertz: number, sampleRate: number): Int16Array {
    return Int16Array.from({ length: sampleRate }, (_, index) =>
      Math.round(10_000 * Math.sin((2 * Math.PI * hertz * index) / sampleRate)),
    )
  }

  it.each([8000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000])(
    'keeps a tone of 1 kHz from %i Hz as it is',
    (rate) => {
      const resampler = new Resampler(rate, 16_000)
      const output = [...resampler.push(sine(1000, rate)), ...resampler.end()]
      expect(Math.abs(output.length - 16_000)).toBeLessThanOrEqual(1)
      const expected = sine(1000, 16_000)
      const middle = { from: 1000, to: 15_000 }
      for (let index = middle.from; index < middle.to; index++) {
        expect(Math.abs((output[index] ?? 0) - (expected[index] ?? 0))).toBeLessThan(100)
      }
    },
  )

  it('takes away what is too high for the lower rate', () => {
    const output = new Resampler(48_000, 16_000).push(sine(12_000, 48_000)).subarray(1000)
    expect(output.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0)).toBeLessThan(50)
  })

  it('gives the same output however the input is cut', () => {
    const input = sine(440, 44_100)
    const whole = new Resampler(44_100, 16_000)
    const expected = [...whole.push(input), ...whole.end()]
    const pieces = new Resampler(44_100, 16_000)
    const output: number[] = []
    for (let start = 0, length = 0; start < input.length; start += length) {
      length = (start % 701) + 1
      output.push(...pieces.push(input.subarray(start, start + length)))
    }
    output.push(...pieces.end())
    expect(output).toEqual(expected)
  })
})

describe('AudioInput', () => {
  it.each([1, 2, 3, 7, 45, 4096])('reads a WAV stream cut every %i bytes', (length) => {
    const wav = encodeWav(ramp, { sampleRate: 22_050 })
    const input = new AudioInput({ sampleRate: 8000 })
    expect(feed(input, wav, length)).toEqual([...ramp])
  })

  it.each([1, 3, 4096])('reads raw samples cut every %i bytes', (length) => {
    expect(feed(new AudioInput({ sampleRate: 8000 }), bytesOf(ramp), length)).toEqual([...ramp])
  })

  it('tells the sample rate of each', () => {
    expect(new AudioInput({}).push(encodeWav(ramp, { sampleRate: 22_050 }))?.sampleRate).toBe(22_050)
    expect(new AudioInput({}).push(bytesOf(ramp))?.sampleRate).toBe(16_000)
    expect(new AudioInput({ sampleRate: 8000 }).push(bytesOf(ramp))?.sampleRate).toBe(8000)
  })

  it('leaves out what follows the samples of a WAV file', () => {
    const wav = encodeWav(ramp, { sampleRate: 16_000 })
    const withComment = Buffer.concat([wav, Buffer.from('LIST\x04\0\0\0abcd', 'latin1')])
    expect(feed(new AudioInput({}), withComment, 100)).toEqual([...ramp])
  })

  it.each([0, 0xffff_ffff])('reads on where the header announces %i bytes', (announced) => {
    const wav = encodeWav(ramp, { sampleRate: 16_000 })
    new DataView(wav.buffer).setUint32(40, announced, true)
    expect(feed(new AudioInput({}), wav, 100)).toEqual([...ramp])
  })

  it('takes samples that begin like a header for samples where it is told to', () => {
    const bytes = Buffer.from('RIFFabcdWAVE')
    expect(new AudioInput({ format: 'pcm_s16le' }).push(bytes)?.samples.length).toBe(6)
  })

  it.each([
    ['a compressed WAV file', wavWith((view) => view.setUint16(20, 85, true))],
    ['a WAV file of 0 Hz', wavWith((view) => view.setUint32(24, 0, true))],
    ['a WAV file of 2 GHz', wavWith((view) => view.setUint32(24, 2_000_000_000, true))],
    ['a RIFF file of another kind', Buffer.from('RIFF\x10\0\0\0AVI LIST', 'latin1')],
    // Its rate of 16,000 Hz is in three of its bytes.
    [
      'FLAC',
      Buffer.concat([Buffer.from('fLaC'), Buffer.alloc(14), Buffer.from([0x03, 0xe8, 0]), Buffer.alloc(43)]),
    ],
    ['a header without an end', Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVEjunk'), Buffer.alloc(1 << 21)])],
  ])('refuses %s', (_name, bytes) => {
    const refusal = expect.objectContaining({ codeName: 'STT_AUDIO_INVALID' })
    expect(() => new AudioInput({}).push(bytes)).toThrowError(refusal)
    expect(() => readAudio(bytes, {})).toThrowError(refusal)
  })

  function wavWith(change: (view: DataView) => void): Uint8Array {
    const wav = encodeWav(ramp, { sampleRate: 16_000 })
    change(new DataView(wav.buffer))
    return wav
  }
})

describe('plainWords', () => {
  it('leaves out what is no word', () => {
    expect(plainWords("<s> hello(2) [NOISE] <sil> it's ++UM++ read(3) </s>")).toEqual([
      'hello',
      "it's",
      'read',
    ])
    expect(plainWords('')).toEqual([])
  })
})
