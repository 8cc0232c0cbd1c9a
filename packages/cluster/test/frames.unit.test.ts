import { describe, expect, it } from 'vitest'
import {
  ahead,
  controlData,
  type Frame,
  frameKinds,
  frameOf,
  maxFrameData,
  nextNumber,
  readControl,
  readFrame,
} from '../src/frames.js'

const header = { seq: 4_294_967_295, takenLines: 7, takenBytes: 2 ** 31 }

function frameRead(bytes: Uint8Array): Frame {
  const frame = readFrame(bytes)
  if (typeof frame === 'string') throw new Error(frame)
  return frame
}

describe('a frame', () => {
  it.each([
    ['lines', frameKinds.lines, '{}\n'],
    ['the most lines', frameKinds.lines, 'x'.repeat(maxFrameData.lines)],
    ['bytes', frameKinds.bytes, '\0'],
    ['an end', frameKinds.end, ''],
    ['a close', frameKinds.close, '{"code":-32042}'],
  ])('with %s arrives as it was sent', (_, kind, text) => {
    const { data, ...rest } = frameRead(frameOf({ kind, ...header }, Buffer.from(text)))
    expect(rest).toEqual({ kind, ...header })
    expect(Buffer.from(data).toString()).toBe(text)
  })

  it.each([
    { ask: true, resume: false, received: 0 },
    { ask: false, resume: true, received: 4_294_967_295 },
  ])('of control arrives as it was sent: %j', (control) => {
    const frame = frameRead(frameOf({ kind: frameKinds.control, ...header }, controlData(control)))
    expect(readControl(frame.data)).toEqual(control)
  })

  const whole = frameOf({ kind: frameKinds.lines, ...header }, Buffer.from('{}\n'))
  const ofKind = (kind: number, length: number): Buffer => {
    const bytes = Buffer.alloc(13 + length)
    bytes[0] = kind
    return bytes
  }
  it.each([
    ['nothing', Buffer.alloc(0), /0 bytes/],
    ['a cut header', whole.subarray(0, 12), /12 bytes/],
    ['no data', whole.subarray(0, 13), /"lines" takes 1 to/],
    ['too many lines', ofKind(frameKinds.lines, maxFrameData.lines + 1), /"lines" takes 1 to/],
    ['too many bytes', ofKind(frameKinds.bytes, maxFrameData.bytes + 1), /"bytes" takes 1 to/],
    ['a cut control', ofKind(frameKinds.control, 4), /"control" takes 5/],
    ['a long control', ofKind(frameKinds.control, 6), /"control" takes 5/],
    ['an end with data', ofKind(frameKinds.end, 1), /"end" takes 0/],
    ['a close that is too long', ofKind(frameKinds.close, 65_537), /"close" takes 0 to/],
    ['kind 0', ofKind(0, 1), /kind is 0/],
    ['an unknown kind', ofKind(6, 1), /kind is 6/],
    ['text of somebody else', Buffer.from('hello, is anybody there?'), /kind is 104/],
  ])('that is %s is refused, with a reason', (_, bytes, reason) => {
    expect(readFrame(bytes)).toMatch(reason)
  })

  it('is numbered on and on', () => {
    expect(nextNumber(4_294_967_295)).toBe(0)
    expect(ahead(0, 4_294_967_295)).toBe(1)
    expect(ahead(4_294_967_295, 0)).toBe(-1)
    expect(ahead(5, 5)).toBe(0)
  })
})
