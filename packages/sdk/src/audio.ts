/** What an audio file says of itself. `durationMs` is absent where the header does not tell. */
export interface AudioFormat {
  /** wav, mp3, ogg, flac or pcm_s16le. */
  format: string
  /** In Hz. */
  sampleRate: number
  channels: number
  durationMs?: number
}

/** Uncompressed audio out of a WAV file. */
export interface WavAudio {
  /** In Hz. */
  sampleRate: number
  channels: number
  /** Of one sample: 8, 16, 24 or 32. */
  bitsPerSample: number
  /** Whether samples are floating point. */
  float: boolean
  /** The samples as they stand in the file: little-endian, channels interleaved. A view, not a copy. */
  data: Uint8Array
}

/**
 * Makes a WAV file of 16-bit samples.
 *
 * @param samples Interleaved by channel.
 * @example const wav = encodeWav(new Int16Array(16_000), { sampleRate: 16_000 })   // one second of silence
 */
export function encodeWav(
  samples: Int16Array,
  format: { sampleRate: number; channels?: number },
): Uint8Array {
  const { sampleRate, channels = 1 } = format
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength)
  return wrapWav({ sampleRate, channels, bitsPerSample: 16, float: false, data: bytes })
}

/** Puts a WAV header before samples that are little-endian already. */
export function wrapWav({ sampleRate, channels, bitsPerSample, float, data }: WavAudio): Uint8Array {
  const headerBytes = 44
  const frameBytes = (channels * bitsPerSample) / 8
  const wav = new Uint8Array(headerBytes + data.length)
  const view = new DataView(wav.buffer)
  writeAscii(wav, 0, 'RIFF')
  view.setUint32(4, wav.length - 8, true)
  writeAscii(wav, 8, 'WAVEfmt ')
  view.setUint32(16, 16, true)
  view.setUint16(20, float ? 3 : 1, true)
  view.setUint16(22, channels, true)
  view.setUint32(24, sampleRate, true)
  view.setUint32(28, sampleRate * frameBytes, true)
  view.setUint16(32, frameBytes, true)
  view.setUint16(34, bitsPerSample, true)
  writeAscii(wav, 36, 'data')
  view.setUint32(40, data.length, true)
  wav.set(data, headerBytes)
  return wav
}

/** Reads a WAV file, or returns undefined where it is none. A length that lies is cut to what is there. */
export function decodeWav(file: Uint8Array): WavAudio | undefined {
  if (readAscii(file, 0, 4) !== 'RIFF' || readAscii(file, 8, 4) !== 'WAVE') return undefined
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  let format: Omit<WavAudio, 'data'> | undefined
  let offset = 12
  while (offset + 8 <= file.length) {
    const id = readAscii(file, offset, 4)
    const start = offset + 8
    const length = Math.min(view.getUint32(offset + 4, true), file.length - start)
    if (id === 'fmt ' && length >= 16) format = readFormatChunk(view, start, length)
    if (id === 'data') return format && { ...format, data: file.subarray(start, start + length) }
    offset = start + length + (length % 2)
  }
  return undefined
}

function readFormatChunk(view: DataView, start: number, length: number): Omit<WavAudio, 'data'> | undefined {
  const extensible = 0xfffe
  const tag = view.getUint16(start, true)
  const encoding = tag === extensible && length >= 26 ? view.getUint16(start + 24, true) : tag
  const channels = view.getUint16(start + 2, true)
  const sampleRate = view.getUint32(start + 4, true)
  const bitsPerSample = view.getUint16(start + 14, true)
  const known =
    (encoding === 1 && [8, 16, 24, 32].includes(bitsPerSample)) || (encoding === 3 && bitsPerSample === 32)
  return known && channels > 0 && sampleRate > 0
    ? { sampleRate, channels, bitsPerSample, float: encoding === 3 }
    : undefined
}

/** The samples of a WAV file as 16-bit mono: channels are averaged, other sample sizes converted. */
export function toMono16({ channels, bitsPerSample, float, data }: WavAudio): Int16Array {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const sampleBytes = bitsPerSample / 8
  const frames = Math.floor(data.length / (sampleBytes * channels))
  const mono = new Int16Array(frames)
  for (let frame = 0; frame < frames; frame++) {
    let sum = 0
    for (let channel = 0; channel < channels; channel++) {
      sum += sampleAt(view, (frame * channels + channel) * sampleBytes, bitsPerSample, float)
    }
    mono[frame] = Math.max(-32_768, Math.min(32_767, Math.round(sum / channels)))
  }
  return mono
}

function sampleAt(view: DataView, offset: number, bitsPerSample: number, float: boolean): number {
  if (float) return view.getFloat32(offset, true) * 32_768
  if (bitsPerSample === 8) return (view.getUint8(offset) - 128) * 256
  if (bitsPerSample === 16) return view.getInt16(offset, true)
  if (bitsPerSample === 24) return (view.getInt8(offset + 2) * 65_536 + view.getUint16(offset, true)) / 256
  return view.getInt32(offset, true) / 65_536
}

/** What `audio` is, as far as its first bytes tell; undefined for raw samples and unknown formats. */
export function sniffAudio(audio: Uint8Array): AudioFormat | undefined {
  const wav = decodeWav(audio)
  if (wav) {
    const { sampleRate, channels, bitsPerSample, data } = wav
    return {
      format: 'wav',
      sampleRate,
      channels,
      durationMs: (data.length * 8000) / (sampleRate * channels * bitsPerSample),
    }
  }
  if (readAscii(audio, 0, 4) === 'fLaC' && audio.length >= 42) return sniffFlac(audio)
  if (readAscii(audio, 0, 4) === 'OggS' && audio.length >= 48) return sniffOgg(audio)
  if (readAscii(audio, 0, 3) === 'ID3' || isMp3Frame(audio)) return sniffMp3(audio)
  return undefined
}

function sniffFlac(audio: Uint8Array): AudioFormat {
  const byte = (index: number): number => audio[index] ?? 0
  const sampleRate = (byte(18) << 12) | (byte(19) << 4) | (byte(20) >> 4)
  const channels = ((byte(20) >> 1) & 7) + 1
  const samples = (byte(21) & 15) * 2 ** 32 + new DataView(audio.buffer, audio.byteOffset).getUint32(22)
  const durationMs = samples > 0 && sampleRate > 0 ? (samples * 1000) / sampleRate : undefined
  return { format: 'flac', sampleRate, channels, ...(durationMs === undefined ? {} : { durationMs }) }
}

function sniffOgg(audio: Uint8Array): AudioFormat {
  const view = new DataView(audio.buffer, audio.byteOffset)
  if (readAscii(audio, 28, 8) === 'OpusHead')
    return { format: 'ogg', sampleRate: 48_000, channels: audio[37] ?? 1 }
  return { format: 'ogg', sampleRate: view.getUint32(40, true), channels: audio[39] ?? 1 }
}

function isMp3Frame(audio: Uint8Array): boolean {
  const [first = 0, second = 0, third = 0] = audio
  const layer3 = (second & 0xe6) === 0xe2
  return first === 0xff && layer3 && (third & 0xf0) !== 0xf0 && (third & 0x0c) !== 0x0c
}

function sniffMp3(audio: Uint8Array): AudioFormat {
  const start = readAscii(audio, 0, 3) === 'ID3' ? 10 + syncSafe(audio, 6) : 0
  const [, second = 0, third = 0, fourth = 0] = audio.subarray(start)
  const halvings = { 3: 0, 2: 1, 0: 2 }[(second >> 3) & 3] ?? 0
  const sampleRate = ([44_100, 48_000, 32_000][(third >> 2) & 3] ?? 44_100) / 2 ** halvings
  return { format: 'mp3', sampleRate, channels: fourth >> 6 === 3 ? 1 : 2 }
}

function syncSafe(bytes: Uint8Array, offset: number): number {
  return [0, 1, 2, 3].reduce((value, index) => value * 128 + ((bytes[offset + index] ?? 0) & 127), 0)
}

function readAscii(bytes: Uint8Array, offset: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + length))
}

function writeAscii(bytes: Uint8Array, offset: number, text: string): void {
  for (let index = 0; index < text.length; index++) bytes[offset + index] = text.charCodeAt(index)
}
