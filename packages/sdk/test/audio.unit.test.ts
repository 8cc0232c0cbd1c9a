import { decodeWav, encodeWav, sniffAudio, toMono16, type WavAudio } from '@appfactory/sdk'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { wrapWav } from '../src/audio.js'
import { assumedFormat, joinSound } from '../src/contracts/join-sound.js'

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

  it('of 24 bits in four bytes each is not read as one of three bytes each', () => {
    const file = Buffer.from(
      wrapWav({ ...pcm, bitsPerSample: 32, data: bytesOf(Int32Array.of(256, -65_536, 2 ** 30)) }),
    )
    file.writeUInt16LE(24, 34)
    expect([...toMono16(decoded(file))]).toEqual([0, -1, 16_384])
    expect(sniffAudio(file)?.durationMs).toBe(3000 / pcm.sampleRate)
  })

  it('of millions of empty chunks takes no time', () => {
    // Time that was computed: a busy machine takes longer.
    const begun = process.cpuUsage()
    expect(sniffAudio(Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVE'), Buffer.alloc(16e6)]))).toBeUndefined()
    expect(process.cpuUsage(begun).user / 1000).toBeLessThan(500)
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

/** A WAV file by hand: its chunks, in a container of any kind. */
function wavFile(
  chunks: readonly [id: string, content: Uint8Array, toldLength?: number][],
  { brand = 'RIFF', size = undefined as number | undefined, padded = true } = {},
): Uint8Array {
  const word = (value: number): Buffer => {
    const bytes = Buffer.alloc(4)
    if (brand === 'RIFX') bytes.writeUInt32BE(value)
    else bytes.writeUInt32LE(value)
    return bytes
  }
  const body = Buffer.concat(
    chunks.flatMap(([id, content, told = content.length]) => [
      Buffer.from(id),
      word(told),
      content,
      Buffer.alloc(padded ? content.length % 2 : 0),
    ]),
  )
  return Buffer.concat([Buffer.from(brand), word(size ?? body.length + 4), Buffer.from('WAVE'), body])
}

function formatChunk(
  encoding: number,
  bits: number,
  { rate = 8000, channels = 1, bigEndian = false } = {},
): Buffer {
  const chunk = Buffer.alloc(18)
  const write = (value: number, offset: number, bytes: number): number =>
    bigEndian ? chunk.writeUIntBE(value, offset, bytes) : chunk.writeUIntLE(value, offset, bytes)
  write(encoding, 0, 2)
  write(channels, 2, 2)
  write(rate, 4, 4)
  write((rate * channels * bits) / 8, 8, 4)
  write(Math.ceil((channels * bits) / 8), 12, 2)
  write(bits, 14, 2)
  return chunk
}

const oneSecond = Buffer.from(Int16Array.from({ length: 8000 }, (_, index) => index).buffer)

describe('a WAV file that is not taken for samples at 24 kHz, or for an empty one', () => {
  it.each([
    ['A-law', 6, 8],
    ['mu-law', 7, 8],
    ['ADPCM', 2, 4],
    ['IMA ADPCM', 0x11, 4],
    ['floats of 64 bits', 3, 64],
    ['MP3 inside', 0x55, 8],
  ])('of %s', (_, encoding, bits) => {
    const format = formatChunk(encoding, bits, { rate: 11_025, channels: 2 })
    const data = new Uint8Array((11_025 * 2 * bits) / 8 / 2)
    const sniffed = sniffAudio(
      wavFile([
        ['fmt ', format],
        ['data', data],
      ]),
    )
    expect(sniffed).toMatchObject({ format: 'wav', sampleRate: 11_025, channels: 2 })
    expect(sniffed?.durationMs).toBeCloseTo(500, 0)
  })

  it('of GSM, whose bits are not whole ones, and of a rate of bytes that nobody tells', () => {
    const gsm = formatChunk(0x31, 0)
    gsm.writeUInt32LE(1625, 8)
    expect(
      sniffAudio(
        wavFile([
          ['fmt ', gsm],
          ['data', new Uint8Array(1625)],
        ]),
      ),
    ).toEqual({
      format: 'wav',
      sampleRate: 8000,
      channels: 1,
      durationMs: 1000,
    })
    gsm.writeUInt32LE(0, 8)
    expect(
      sniffAudio(
        wavFile([
          ['fmt ', gsm],
          ['data', new Uint8Array(9)],
        ]),
      ),
    ).toEqual({
      format: 'wav',
      sampleRate: 8000,
      channels: 1,
    })
  })

  it('that begins its numbers with the highest byte (RIFX)', () => {
    const big = Buffer.from(oneSecond).swap16()
    const file = wavFile(
      [
        ['fmt ', formatChunk(1, 16, { bigEndian: true })],
        ['data', big],
      ],
      { brand: 'RIFX' },
    )
    expect(sniffAudio(file)).toEqual({ format: 'wav', sampleRate: 8000, channels: 1, durationMs: 1000 })
    expect(Buffer.from(decoded(file).data)).toEqual(oneSecond)
  })

  it.each(['RF64', 'BW64'])('whose lengths have 64 bits (%s)', (brand) => {
    const lengths = Buffer.alloc(28)
    lengths.writeBigUInt64LE(BigInt(oneSecond.length), 8)
    const file = wavFile(
      [
        ['ds64', lengths],
        ['fmt ', formatChunk(1, 16)],
        ['data', oneSecond, 0xffffffff],
        ['LIST', Buffer.alloc(100)],
      ],
      { brand, size: 0xffffffff },
    )
    expect(sniffAudio(file)).toMatchObject({ format: 'wav', durationMs: 1000 })
    expect(Buffer.from(decoded(file).data)).toEqual(oneSecond)
  })

  it.each([
    ['LIST', 'data'],
    ['bext', 'fmt '],
  ])('with a chunk %s of odd length that no byte follows', (id) => {
    const chunks: [string, Uint8Array][] = [
      [id, Buffer.from('abc')],
      ['PEAK', Buffer.from('peaks')],
      ['fmt ', formatChunk(1, 16)],
      [id, Buffer.from('d')],
      ['data', oneSecond],
    ]
    for (const padded of [false, true])
      expect(Buffer.from(decoded(wavFile(chunks, { padded })).data)).toEqual(oneSecond)
  })

  it.each([0, 36, 38, 0xffffffff])('whose header was never completed (length of the file: %i)', (size) => {
    const file = wavFile(
      [
        ['fmt ', formatChunk(1, 16)],
        ['data', oneSecond, 0],
      ],
      { size },
    )
    expect(sniffAudio(file)).toMatchObject({ durationMs: 1000 })
    expect(toMono16(decoded(file))).toHaveLength(8000)
  })

  it('but one that has no samples, and says so, has none', () => {
    const file = wavFile([
      ['fmt ', formatChunk(1, 16)],
      ['data', new Uint8Array()],
      ['LIST', oneSecond],
    ])
    expect(sniffAudio(file)).toMatchObject({ durationMs: 0 })
  })
})

describe('encodeWav', () => {
  it.each([Float32Array, Float64Array])('converts a %o, cut at full scale', (Floats) => {
    const wav = decoded(encodeWav(Floats.of(-2, -1, -0.5, 0, 0.5, 1, Number.NaN), { sampleRate: 24_000 }))
    expect([...toMono16(wav)]).toEqual([-32_768, -32_768, -16_384, 0, 16_384, 32_767, 0])
  })

  it.each([
    ['an array', [1, 2]],
    ['an ArrayBuffer', new ArrayBuffer(8)],
    ['bytes', new Uint8Array(8)],
    ['a Buffer', Buffer.alloc(8)],
    ['longer numbers', new Int32Array(8)],
    ['text', 'abcd'],
    ['nothing', undefined],
    ['null', null],
  ])('refuses %s in place of samples', (_, samples) => {
    expect(() => encodeWav(samples as never, { sampleRate: 8000 })).toThrow(TypeError)
  })

  it.each([
    ['no format', undefined],
    ['no rate', {}],
    ['a rate of NaN', { sampleRate: Number.NaN }],
    ['a rate of 0', { sampleRate: 0 }],
    ['a negative rate', { sampleRate: -8000 }],
    ['a broken rate', { sampleRate: 22_050.5 }],
    ['a rate without end', { sampleRate: Number.POSITIVE_INFINITY }],
    ['a rate as text', { sampleRate: '8000' }],
    ['no channels', { sampleRate: 8000, channels: 0 }],
    ['half a channel', { sampleRate: 8000, channels: 1.5 }],
  ])('refuses %s', (_, format) => {
    expect(() => encodeWav(new Int16Array(1), format as never)).toThrow(TypeError)
  })
})

describe('pieces of sound as one', () => {
  const piece = (audio: Uint8Array, more: object = {}) => {
    const { durationMs: _, ...sniffed } = sniffAudio(audio) ?? {
      format: 'pcm_s16le',
      sampleRate: 24_000,
      channels: 1,
    }
    return { audio, ...sniffed, ...more }
  }
  const tone = (sampleRate: number, channels = 1) =>
    encodeWav(new Int16Array((sampleRate * channels) / 10).fill(1000), { sampleRate, channels })

  it.each([8000, 16_000])(
    'of several rates last as long as they do apart, and sound the same (%i Hz first)',
    (rate) => {
      const joined = joinSound([piece(tone(rate)), piece(tone(24_000 - rate))])
      expect(joined).toMatchObject({ format: 'wav', sampleRate: 16_000 })
      expect(sniffAudio(joined.audio)).toMatchObject({ sampleRate: 16_000, durationMs: 200 })
      expect(new Set(toMono16(decoded(joined.audio)))).toEqual(new Set([1000]))
    },
  )

  it('of one and two channels, and of other samples, lose nothing', () => {
    const floats = wrapWav({
      ...pcm,
      bitsPerSample: 32,
      float: true,
      data: bytesOf(Float32Array.of(0.5, 1.5)),
    })
    const joined = joinSound([piece(tone(16_000)), piece(tone(16_000, 2)), piece(floats)])
    expect(decoded(joined.audio)).toMatchObject({ channels: 2, float: true, bitsPerSample: 32 })
    const { data } = decoded(joined.audio)
    expect(Buffer.from(data).readFloatLE(data.length - 4)).toBe(1.5)
    expect(sniffAudio(joined.audio)?.durationMs).toBe(200.125)
    for (const bitsPerSample of [8, 16, 24, 32]) {
      const one = wrapWav({ ...pcm, bitsPerSample, data: new Uint8Array(bitsPerSample * 2).fill(64) })
      const wide = wrapWav({ ...pcm, bitsPerSample: 32, data: new Uint8Array(64).fill(64) })
      const { audio } = joinSound([piece(one), piece(wide)])
      expect(toMono16(decoded(audio)).subarray(0, 16)).toEqual(toMono16(decoded(one)))
    }
  })

  it('of mu-law are joined as they are', () => {
    const muLaw = wavFile([
      ['fmt ', formatChunk(7, 8)],
      ['data', new Uint8Array(801).fill(5)],
    ])
    const { audio, format } = joinSound([piece(muLaw), piece(muLaw)])
    expect([format, sniffAudio(audio)?.durationMs]).toEqual(['wav', 200.25])
  })

  it('without a header, behind a WAV file, go on as it began', () => {
    const raw = piece(new Uint8Array(1600), { warnings: [assumedFormat] })
    const { audio } = joinSound([piece(tone(8000)), raw])
    expect(sniffAudio(audio)).toEqual({ format: 'wav', sampleRate: 8000, channels: 1, durationMs: 200 })
  })

  it.each([
    ['of one shape', 16_000],
    ['of several rates', 8000],
  ])('that end within a sample do not shift the samples of the next file (%s)', (_, rate) => {
    const cut = wavFile([
      ['fmt ', formatChunk(1, 16)],
      ['data', new Uint8Array(161).fill(3)],
    ])
    const { audio } = joinSound([piece(cut), piece(tone(rate)), piece(tone(rate))])
    expect([...toMono16(decoded(audio)).subarray(200)].every((sample) => sample === 1000)).toBe(true)
    const half = [cut.subarray(0, -1), Uint8Array.of(3, 3, 3)].map((each, index) =>
      piece(each, index > 0 ? { warnings: [assumedFormat] } : {}),
    )
    expect(decoded(joinSound(half).audio).data.length).toBe(161 + 3)
  })

  it('without headers follow each other, byte for byte', () => {
    const parts = [Uint8Array.of(1, 2, 3), Uint8Array.of(4)].map((audio) => piece(audio))
    expect([...joinSound(parts).audio]).toEqual([1, 2, 3, 4])
    expect(joinSound([])).toMatchObject({ audio: new Uint8Array() })
  })

  it.each([
    ['MP3 and WAV', [Uint8Array.of(0xff, 0xfb, 0x90, 0, 0, 0, 0, 0), tone(8000)]],
    [
      'MP3 of two rates',
      [Uint8Array.of(0xff, 0xfb, 0x90, 0, 0, 0), Uint8Array.of(0xff, 0xfb, 0x94, 0, 0, 0)],
    ],
    [
      'A-law and mu-law',
      [6, 7].map((encoding) =>
        wavFile([
          ['fmt ', formatChunk(encoding, 8)],
          ['data', new Uint8Array(8)],
        ]),
      ),
    ],
  ])('that are %s are refused, with the piece that does not fit', (_, files) => {
    expect(() => joinSound(files.map((file) => piece(file)))).toThrow(/piece 2/)
    expect(joinSound([piece(tone(8000))]).audio).toEqual(tone(8000))
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
    ['samples that begin as an MP3 frame does', [0xff, 0xfb, 0x50, 0, ...Array(400).fill(3)]],
    ['a version of MPEG that there is not', [0xff, 0xea, 0x90, 0, 0, 0]],
    ['a FLAC file of no rate', [...Buffer.from('fLaC'), ...Array(60).fill(0)]],
    ['Ogg of pictures', [...oggPage(Buffer.from('\x80theora'))]],
  ])('takes %s for raw samples', (_, bytes) => {
    expect(sniffAudio(Uint8Array.from(bytes))).toBeUndefined()
  })

  it('reads the headers of Ogg FLAC and Ogg Speex, and of FLAC behind an ID3 tag', () => {
    const stream = flac({ sampleRate: 44_100, channels: 2, samples: 0 })
    const head = Buffer.concat([Buffer.from('\x7fFLAC\x01\0\0\x01', 'latin1'), stream])
    expect(sniffAudio(oggPage(head))).toEqual({ format: 'ogg', sampleRate: 44_100, channels: 2 })
    const speex = Buffer.alloc(80)
    speex.write('Speex   1.2')
    speex.writeUInt32LE(8000, 36)
    speex.writeUInt32LE(1, 48)
    expect(sniffAudio(oggPage(speex))).toEqual({ format: 'ogg', sampleRate: 8000, channels: 1 })
    const tagged = Buffer.concat([Buffer.from('ID3\x04\0\0\0\0\0\0', 'latin1'), stream])
    expect(sniffAudio(tagged)).toMatchObject({ format: 'flac', sampleRate: 44_100 })
  })

  it('takes frames of MP3 that follow each other for MP3', () => {
    const frame = Buffer.alloc(417)
    frame.set([0xff, 0xfb, 0x90])
    const mp3 = { format: 'mp3', sampleRate: 44_100, channels: 2 }
    expect(sniffAudio(Buffer.concat([frame, frame, frame.subarray(0, 9)]))).toEqual(mp3)
    expect(sniffAudio(Buffer.concat([frame, Buffer.from('TAG of its author')]))).toEqual(mp3)
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

/** The first page of an Ogg file, whose first packet begins so. */
function oggPage(packet: Uint8Array): Buffer {
  const page = Buffer.alloc(28 + packet.length + 32)
  page.write('OggS')
  page.set(packet, 28)
  return page
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
