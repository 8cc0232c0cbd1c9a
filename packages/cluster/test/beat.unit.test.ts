import { describe, expect, it } from 'vitest'
import { type Beat, beatBytes, readBeat } from '../src/beat.js'

const plugin = {
  ...{ name: 'tts_flite', version: '1.0.0', contract: 'tts', contractVersion: '1.0.0', generation: 0 },
  ...{ status: 'READY', inFlight: 1, queued: 0, capacity: 2, replicas: 2, loadedMs: 60_000 },
}
const beat: Beat = {
  ...{ node: 'gpu-1', boot: 'b1', sequence: 7, labels: { gpu: 'true' }, draining: false, leaving: false },
  ...{ protocolVersions: [1], plugins: [plugin] },
}
const bytesOf = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))

describe('a beat', () => {
  it('arrives as it was sent', () => {
    expect(readBeat(beatBytes(beat))).toEqual(beat)
  })

  it('of a newer node is read, without what is not known here', () => {
    expect(readBeat(bytesOf({ ...beat, mood: 'good', plugins: [{ ...plugin, gpu: 1 }] }))).toEqual(beat)
  })

  it.each([
    ['no JSON', Buffer.from('{')],
    ['nothing', Buffer.alloc(0)],
    ['no UTF-8', Buffer.from([0xff, 0xfe])],
    ['null', bytesOf(null)],
    ['an array', bytesOf([beat])],
    ['a name that is none', bytesOf({ ...beat, node: 'a.b' })],
    ['no boot', bytesOf({ ...beat, boot: '' })],
    ['a negative count', bytesOf({ ...beat, plugins: [{ ...plugin, inFlight: -1 }] })],
    ['no capacity', bytesOf({ ...beat, plugins: [{ ...plugin, capacity: 0 }] })],
    ['a label that is no text', bytesOf({ ...beat, labels: { gpu: true } })],
  ])('that is %s is left out', (_, bytes) => {
    expect(readBeat(bytes)).toBeUndefined()
  })
})
