/** The container of browsers’ recordings: elements within elements (RFC 8794, RFC 9559). */

const ids = {
  segment: 0x1853_8067,
  tracks: 0x1654_ae6b,
  track: 0xae,
  number: 0xd7,
  codec: 0x86,
  head: 0x63a2,
  cluster: 0x1f43_b675,
  group: 0xa0,
  block: 0xa1,
  simpleBlock: 0xa3,
}
/** Those whose elements are looked at. Their own lengths count for nothing: recorders leave them open. */
const opened: readonly number[] = [ids.segment, ids.tracks, ids.track, ids.cluster, ids.group]

interface Track {
  number?: number
  codec?: string
  head?: Uint8Array
}

/** Whether a file begins as WebM and Matroska do. */
export function isWebm(file: Uint8Array): boolean {
  return Buffer.from(file.subarray(0, 4)).equals(Buffer.from([0x1a, 0x45, 0xdf, 0xa3]))
}

/** The head of the first track of Opus, and then its packets; nothing where there is none. What is cut off is left out. */
export function* opusOfWebm(file: Uint8Array): Generator<Uint8Array, void, undefined> {
  const tracks: Track[] = []
  let opus: Track | undefined
  for (const { id, data } of elementsOf(file)) {
    const track = tracks.at(-1)
    if (id === ids.track) tracks.push({})
    else if (id === ids.number && track) track.number = data.at(-1) ?? 0
    else if (id === ids.codec && track) track.codec = Buffer.from(data).toString('latin1')
    else if (id === ids.head && track) track.head = data
    else if (id === ids.block || id === ids.simpleBlock) {
      if (!opus) {
        opus = tracks.find(({ codec }) => codec === 'A_OPUS')
        if (!opus) return
        yield opus.head ?? new Uint8Array()
      }
      const packet = packetIn(data, opus)
      if (packet) yield packet
    }
  }
}

/** Undefined: it is of another track, or of several packets, which nobody makes of Opus. */
function packetIn(block: Uint8Array, { number }: Track): Uint8Array | undefined {
  const track = numberAt(block, 0, false)
  if (!track || track.value !== number || block.length < track.end + 3) return undefined
  const isLaced = ((block[track.end + 2] ?? 0) & 6) !== 0
  return isLaced ? undefined : block.subarray(track.end + 3)
}

/** All elements, one behind the other, with the bytes of those that are not opened. */
function* elementsOf(file: Uint8Array): Generator<{ id: number; data: Uint8Array }, void, undefined> {
  for (let at = 0; at < file.length; ) {
    const id = numberAt(file, at, true)
    const size = id && numberAt(file, id.end, false)
    if (!size) return
    const isOpened = opened.includes(id.value)
    at = isOpened ? size.end : size.end + size.value
    if (at > file.length) return
    yield { id: id.value, data: file.subarray(size.end, at) }
  }
}

/** A number whose first byte tells its length; that of an id is kept in it. Undefined: there is none. */
function numberAt(
  bytes: Uint8Array,
  start: number,
  isId: boolean,
): { value: number; end: number } | undefined {
  const first = bytes[start] ?? 0
  const length = Math.clz32(first) - 23
  const end = start + length
  if (first === 0 || end > bytes.length) return undefined
  let value = isId ? first : first & (0xff >> length)
  for (const byte of bytes.subarray(start + 1, end)) value = value * 256 + byte
  return { value, end }
}
