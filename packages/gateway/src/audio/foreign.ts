import { isWebm } from './webm.js'

/** A file that can’t be read here, unless a program or the plugin can. */
export interface Foreign {
  /** Such as `m4a`. A plugin that takes it has `m4a_input` in its capabilities. */
  name: string
  /** For people. */
  what: string
  /** What FFmpeg calls its reader. */
  reader: string
}

const kinds: readonly (Foreign & { fits(file: Uint8Array): boolean })[] = [
  {
    ...{ name: 'm4a', what: 'AAC in MP4 (m4a)', reader: 'mov' },
    fits: (file) => textAt(file, 4, 4) === 'ftyp',
  },
  {
    ...{ name: 'aac', what: 'AAC', reader: 'aac' },
    fits: ([first, second = 0]) => first === 0xff && (second & 0xf6) === 0xf0,
  },
  { name: 'webm', what: 'WebM with anything but Opus', reader: 'matroska', fits: isWebm },
  {
    ...{ name: 'ogg', what: 'Ogg with anything but Opus, Vorbis and FLAC', reader: 'ogg' },
    fits: (file) => textAt(file, 0, 4) === 'OggS',
  },
  {
    ...{ name: 'wav', what: 'a WAV file with encoded samples', reader: 'wav' },
    fits: (file) => textAt(file, 8, 4) === 'WAVE',
  },
]

/** What a file is that is none of those that are read here. Its first bytes tell; undefined: it is nothing that is known. */
export function foreignOf(file: Uint8Array): Foreign | undefined {
  return kinds.find(({ fits }) => fits(file))
}

/** How long an MP4 file says that it is, in seconds; 0 where it does not. */
export function secondsOfMp4(file: Uint8Array): number {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  const at = bytes.indexOf('mvhd', 0, 'latin1') + 4
  if (at < 4 || at + 32 > bytes.length) return 0
  const isLong = bytes[at] === 1
  const scale = bytes.readUInt32BE(at + (isLong ? 20 : 12))
  const length = isLong ? Number(bytes.readBigUInt64BE(at + 24)) : bytes.readUInt32BE(at + 16)
  return scale > 0 ? length / scale : 0
}

export function textAt(file: Uint8Array, start: number, length: number): string {
  return Buffer.from(file.subarray(start, start + length)).toString('latin1')
}
