/** Kinds of frames. All but control frames are numbered. */
export const frameKinds = { lines: 1, bytes: 2, control: 3, end: 4, close: 5 } as const

export type FrameKind = (typeof frameKinds)[keyof typeof frameKinds]

/** kind (1 byte), number (u32), bytes of lines and of raw bytes that the sender has taken in so far (u32 each, from 0 again after 2³²). */
const headerBytes = 13

/**
 * Most bytes of data in a frame. Raw bytes are small, so that lines need not wait behind them, and so that most frames lie whole
 * in what a socket brings at once, 64 KiB: those that do not are put together in memory that costs more than the bytes.
 */
export const maxFrameData = { lines: 256 * 1024, bytes: 16 * 1024 } as const

/** Most bytes of a frame. */
export const maxFrameBytes = headerBytes + maxFrameData.lines

/** Most bytes of the error in a frame that closes a link. */
const maxCloseData = 64 * 1024

/** flags (1 byte), number of the last frame that has arrived (u32) */
const controlBytes = 5

const flags = { ask: 1, resume: 2 } as const

export interface FrameHeader {
  kind: FrameKind
  /** Of this frame; of a control frame, the last number that was sent. */
  seq: number
  takenLines: number
  takenBytes: number
}

export interface Frame extends FrameHeader {
  /** A view of what arrived. */
  data: Uint8Array
}

/** What a control frame carries. */
export interface Control {
  /** It asks for an answer. */
  ask: boolean
  /** It asks for all that was sent after `received`, again. */
  resume: boolean
  /** The number of the last frame that has arrived in order. */
  received: number
}

/** A frame with room for `length` bytes of data, which begin at the returned offset. */
export function newFrame(header: FrameHeader, length: number): { frame: Buffer; offset: number } {
  const frame = Buffer.allocUnsafe(headerBytes + length)
  frame[0] = header.kind
  frame.writeUInt32BE(header.seq, 1)
  frame.writeUInt32BE(header.takenLines, 5)
  frame.writeUInt32BE(header.takenBytes, 9)
  return { frame, offset: headerBytes }
}

export function frameOf(header: FrameHeader, data: Uint8Array): Buffer {
  const { frame, offset } = newFrame(header, data.length)
  frame.set(data, offset)
  return frame
}

export function controlData({ ask, resume, received }: Control): Buffer {
  const data = Buffer.allocUnsafe(controlBytes)
  data[0] = (ask ? flags.ask : 0) | (resume ? flags.resume : 0)
  data.writeUInt32BE(received, 1)
  return data
}

export function readControl(data: Uint8Array): Control {
  const view = bufferOf(data)
  const set = view.readUInt8(0)
  return {
    ask: (set & flags.ask) !== 0,
    resume: (set & flags.resume) !== 0,
    received: view.readUInt32BE(1),
  }
}

/** Reads a frame. Returns what is wrong with it where it is none. */
export function readFrame(bytes: Uint8Array): Frame | string {
  if (bytes.length < headerBytes) return `it has ${bytes.length} bytes, fewer than ${headerBytes}`
  const view = bufferOf(bytes)
  const kind = view.readUInt8(0)
  const data = view.subarray(headerBytes)
  if (!isKind(kind)) return `its kind is ${kind}, which is none`
  const wrong = wrongLength(kind, data.length)
  if (wrong) return wrong
  return {
    kind,
    seq: view.readUInt32BE(1),
    takenLines: view.readUInt32BE(5),
    takenBytes: view.readUInt32BE(9),
    data,
  }
}

const lengths: Readonly<Record<FrameKind, { name: string; least: number; most: number }>> = {
  [frameKinds.lines]: { name: 'lines', least: 1, most: maxFrameData.lines },
  [frameKinds.bytes]: { name: 'bytes', least: 1, most: maxFrameData.bytes },
  [frameKinds.control]: { name: 'control', least: controlBytes, most: controlBytes },
  [frameKinds.end]: { name: 'end', least: 0, most: 0 },
  [frameKinds.close]: { name: 'close', least: 0, most: maxCloseData },
}

function isKind(kind: number): kind is FrameKind {
  return kind in lengths
}

function wrongLength(kind: FrameKind, length: number): string | undefined {
  const { name, least, most } = lengths[kind]
  if (length >= least && length <= most) return undefined
  const takes = least === most ? `${most}` : `${least} to ${most}`
  return `a frame of the kind "${name}" takes ${takes} bytes, and this one has ${length}`
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** How far `later` is ahead of `earlier`, of numbers that begin again after 2³². Negative: it is behind. */
export function ahead(later: number, earlier: number): number {
  return (later - earlier) | 0
}

export function nextNumber(number: number): number {
  return (number + 1) >>> 0
}
