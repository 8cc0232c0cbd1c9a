import { decodeWav, encodeWav, sniffAudio, toMono16, type WavAudio } from '@appfactory/sdk'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { wrapWav } from '../src/audio.js'

function decoded(file: Uint8Array): WavAudio {
  const wav = decodeWav(file)
  if (!wav) throw new Error('not a WAV file')
  return wav
}

function bytesOf(array: { buffer: ArrayBufferLike; byteOffset: number; byteLength: number }): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

const pcm = { sampleRate: 16_000, channels: 1, float: false }

describe('WAV', () => {
  it('of 16 bits goes round', () => {
    fc.assert(
      fc.property(fc.int16Array(), fc.constantFrom(8000, 16_000, 44_100), (samples, sampleRate) => {
        const wav = decoded(encodeWav(samples, { sampleRate }))
        expect(wav).toMatchObject({ sampleRate, channels: 1, bitsPerSample: 16, float: false })
        expect(toMono16(wav)).toEqual(samples)
      }),
    )
  })

  it.each([8, 16, 24, 32] as const)('of %i bits goes round', (bitsPerSample) => {
    const data = Uint8Array.from({ length: 24 }, (_, index) => (index * 37) % 256)
    const format = { ...pcm, channels: 2, bitsPerSample }
    expect(decoded(wrapWav({ ...format, data }))).toEqual({ ...format, data })
  })

  it.each([
    [8, [0, 128, 255], [-32_768, 0, 32_512]],
    [24, [0, 0, 128, 0, 0, 0, 255, 255, 127], [-32_768, 0, 32_767]],
    [32, [0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 255, 127], [-32_768, 0, 32_767]],
  ] as const)('of %i bits becomes 16-bit mono', (bitsPerSample, data, samples) => {
    const wav = decoded(wrapWav({ ...pcm, bitsPerSample, data: Uint8Array.from(data) }))
    expect([...toMono16(wav)]).toEqual(samples)
  })

  it('of floats becomes 16-bit mono, cut at full scale', () => {
    const data = bytesOf(Float32Array.from([-2, -1, -0.5, 0, 0.5, 1, 2]))
    const wav = decoded(wrapWav({ ...pcm, bitsPerSample: 32, float: true, data }))
    expect(wav.float).toBe(true)
    expect([...toMono16(wav)]).toEqual([-32_768, -32_768, -16_384, 0, 16_384, 32_767, 32_767])
  })

  it('of two channels is averaged; half a frame at the end is left out', () => {
    const file = encodeWav(Int16Array.from([100, 200, -100, 100, 7]), { sampleRate: 8000, channels: 2 })
    expect([...toMono16(decoded(file))]).toEqual([150, 0])
  })

  it('is made from a view without its surroundings', () => {
    const all = Int16Array.from([1, 2, 3, 4, 5])
    expect([...toMono16(decoded(encodeWav(all.subarray(1, 4), { sampleRate: 8000 })))]).toEqual([2, 3, 4])
  })

  it('is read at any offset of its buffer', () => {
    const file = encodeWav(Int16Array.from([5, 6]), { sampleRate: 8000 })
    const shifted = new Uint8Array(file.length + 1)
    shifted.set(file, 1)
    expect([...toMono16(decoded(shifted.subarray(1)))]).toEqual([5, 6])
  })

  it('may have other chunks, of odd length, before its data', () => {
    const file = encodeWav(Int16Array.from([5, 6]), { sampleRate: 8000 })
    const list = Buffer.from('LIST\x03\0\0\0abc\0', 'latin1')
    const withList = Buffer.concat([file.subarray(0, 36), list, file.subarray(36)])
    expect([...toMono16(decoded(withList))]).toEqual([5, 6])
  })

  it('may have an extensible header', () => {
    const file = Buffer.from(encodeWav(Int16Array.from([5]), { sampleRate: 8000 }))
    const format = Buffer.alloc(48)
    file.copy(format, 0, 12, 36)
    format.writeUInt32LE(40, 4)
    format.writeUInt16LE(0xfffe, 8)
    format.writeUInt16LE(1, 32)
    const extensible = Buffer.concat([file.subarray(0, 12), format, file.subarray(36)])
    expect(decoded(extensible)).toMatchObject({ bitsPerSample: 16, float: false, sampleRate: 8000 })
  })

  it.each([0xffffffff, 0x7fffffff, 9])('whose length lies (%i) is cut to what is there', (length) => {
    const file = Buffer.from(encodeWav(Int16Array.from([1, 2, 3, 4]), { sampleRate: 8000 }))
    file.writeUInt32LE(length, 40)
    expect(decoded(file).data.length).toBeLessThanOrEqual(9)
    expect([...toMono16(decoded(file))]).toEqual([1, 2, 3, 4])
  })

  it('without samples is one of 0 ms', () => {
    expect(sniffAudio(encodeWav(new Int16Array(), { sampleRate: 8000 }))).toEqual({
      format: 'wav',
      sampleRate: 8000,
      channels: 1,
      durationMs: 0,
    })
  })

  it.each([
    ['compressed samples', 20, 2],
    ['no channels', 22, 0],
    ['an odd sample size', 34, 12],
  ])('with %s is not read', (_, offset, value) => {
    const file = Buffer.from(encodeWav(Int16Array.from([1]), { sampleRate: 8000 }))
    file.writeUInt16LE(value, offset)
    expect(decodeWav(file)).toBeUndefined()
  })

  it('never makes the reader throw, however it is mangled', () => {
    const file = encodeWav(Int16Array.from([1, 2, 3]), { sampleRate: 8000 })
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.nat(255), fc.nat(file.length), (at, value, length) => {
        const mangled = Uint8Array.from(file)
        mangled[at] = value
        const wav = decodeWav(mangled.subarray(0, length))
        if (wav) toMono16(wav)
        sniffAudio(mangled.subarray(0, length))
      }),
      { numRuns: 1000 },
    )
  })
})

describe('sniffing', () => {
  it('reads a WAV header', () => {
    const file = encodeWav(new Int16Array(8000), { sampleRate: 8000, channels: 2 })
    expect(sniffAudio(file)).toEqual({ format: 'wav', sampleRate: 8000, channels: 2, durationMs: 500 })
  })

  it('reads a FLAC header', () => {
    expect(sniffAudio(flac({ sampleRate: 44_100, channels: 2, samples: 22_050 }))).toEqual({
      format: 'flac',
      sampleRate: 44_100,
      channels: 2,
      durationMs: 500,
    })
    const unknownLength = sniffAudio(flac({ sampleRate: 96_000, channels: 1, samples: 0 }))
    expect(unknownLength).toEqual({ format: 'flac', sampleRate: 96_000, channels: 1 })
    const long = sniffAudio(flac({ sampleRate: 48_000, channels: 1, samples: 48_000 * 100_000 }))
    expect(long?.durationMs).toBe(100_000_000)
  })

  it('reads the headers of Ogg Vorbis and Ogg Opus', () => {
    expect(sniffAudio(oggVorbis({ sampleRate: 22_050, channels: 2 }))).toEqual({
      format: 'ogg',
      sampleRate: 22_050,
      channels: 2,
    })
    expect(sniffAudio(oggOpus({ channels: 1 }))).toEqual({ format: 'ogg', sampleRate: 48_000, channels: 1 })
  })

  it.each([
    ['MPEG-1', 0xfb, 0x90, 0x00, 44_100, 2],
    ['MPEG-1, mono', 0xfb, 0x94, 0xc0, 48_000, 1],
    ['MPEG-2', 0xf3, 0x90, 0x00, 22_050, 2],
    ['MPEG-2.5', 0xe3, 0x98, 0xc0, 8000, 1],
  ])(
    'reads an MP3 frame of %s, with and without an ID3 tag',
    (_, second, third, fourth, sampleRate, channels) => {
      const frame = Buffer.from([0xff, second, third, fourth, 0, 0, 0, 0])
      const tag = Buffer.concat([Buffer.from('ID3\x04\0\0\0\0\x01\x02', 'latin1'), Buffer.alloc(130)])
      for (const file of [frame, Buffer.concat([tag, frame])])
        expect(sniffAudio(file)).toEqual({ format: 'mp3', sampleRate, channels })
    },
  )

  it.each([
    ['nothing', []],
    ['one byte', [0xff]],
    ['silence', Array(64).fill(0)],
    ['text', [...Buffer.from('Hello, I am no audio at all, only a rather long text.')]],
    ['a broken RIFF', [...Buffer.from('RIFF\0\0\0\0WAVE')]],
    ['a FLAC mark alone', [...Buffer.from('fLaC')]],
    ['an Ogg mark alone', [...Buffer.from('OggS')]],
    ['AAC (ADTS)', [0xff, 0xf1, 0x50, 0x80]],
  ])('takes %s for raw samples', (_, bytes) => {
    expect(sniffAudio(Uint8Array.from(bytes))).toBeUndefined()
  })

  it('never throws', () => {
    const mark = fc.constantFrom('', 'RIFF', 'fLaC', 'OggS', 'ID3')
    fc.assert(
      fc.property(mark, fc.uint8Array({ maxLength: 80 }), (start, rest) => {
        sniffAudio(Buffer.concat([Buffer.from(start), rest]))
      }),
    )
  })
})

function flac({ sampleRate, channels, samples }: { sampleRate: number; channels: number; samples: number }) {
  const file = Buffer.alloc(42)
  file.write('fLaC')
  file.writeUInt32BE(0x80000022, 4)
  file.writeUIntBE(sampleRate * 16 + (channels - 1) * 2, 18, 3)
  file[21] = 0xf0 | Math.floor(samples / 2 ** 32)
  file.writeUInt32BE(samples % 2 ** 32, 22)
  return file
}

function oggVorbis({ sampleRate, channels }: { sampleRate: number; channels: number }): Buffer {
  const file = Buffer.alloc(58)
  file.write('OggS')
  file.write('\x01vorbis', 28, 'latin1')
  file[39] = channels
  file.writeUInt32LE(sampleRate, 40)
  return file
}

function oggOpus({ channels }: { channels: number }): Buffer {
  const file = Buffer.alloc(64)
  file.write('OggS')
  file.write('OpusHead', 28)
  file[36] = 1
  file[37] = channels
  return file
}
