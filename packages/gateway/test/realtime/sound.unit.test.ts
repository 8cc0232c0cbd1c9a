import { describe, expect, it } from 'vitest'
import { bytesOf, formatOf, samplesOf } from '../../src/realtime/sound.js'
import { type Change, frameMs, LoudnessGate, TurnDetector } from '../../src/realtime/voice-activity.js'

const allBytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)

describe('G.711', () => {
  it.each([
    ['g711_ulaw', [0xff, 0x00, 0x80, 0xf0], [0, -32_124, 32_124, 120]],
    ['g711_alaw', [0xd5, 0x55, 0x2a, 0xaa], [8, -8, -32_256, 32_256]],
  ] as const)('%s: samples of the standard', (name, bytes, samples) => {
    const format = formatOf(name)
    expect(Array.from(samplesOf(Uint8Array.from(bytes), format), (each) => each * 0x8000)).toEqual(samples)
  })

  it.each(['g711_ulaw', 'g711_alaw'] as const)('%s: every byte comes back', (name) => {
    const format = formatOf(name)
    const back = bytesOf(samplesOf(allBytes, format), format)
    // μ-law has two zeros.
    const expected = allBytes.map((byte) => (name === 'g711_ulaw' && byte === 0x7f ? 0xff : byte))
    expect([...back]).toEqual([...expected])
  })

  it('16-bit samples come back, and what is too loud is cut', () => {
    const format = formatOf('pcm16')
    expect(format).toEqual({ type: 'audio/pcm', rate: 24_000 })
    const bytes = Uint8Array.from([0, 0x80, 0xff, 0x7f, 0, 0])
    expect([...bytesOf(samplesOf(bytes, format), format)]).toEqual([...bytes])
    expect([...bytesOf(Float32Array.from([2, -2]), format)]).toEqual([0xff, 0x7f, 0, 0x80])
  })
})

/** Frames of a sound as loud as this, from 0 to 1. */
function frames(loudness: number, ms: number): Int16Array[] {
  return Array.from({ length: ms / frameMs }, (_, at) =>
    Int16Array.from({ length: 320 }, (_each, index) =>
      Math.round(loudness * 0x7fff * Math.sin(index * 0.17 + at)),
    ),
  )
}

function changesOf(sound: readonly Int16Array[], silenceDurationMs = 500): Change[] {
  const gate = new LoudnessGate(0.5)
  const detector = new TurnDetector({ silenceDurationMs }, 0)
  return sound.flatMap((frame) => detector.push(gate.speaks(frame)) ?? [])
}

describe('speech', () => {
  it('begins and ends where it does, and a pause is no end', () => {
    const sound = [
      ...frames(0, 400),
      ...frames(0.2, 400),
      ...frames(0, 300),
      ...frames(0.2, 300),
      ...frames(0, 600),
    ]
    expect(changesOf(sound)).toEqual([
      { kind: 'started', atMs: 400 },
      { kind: 'stopped', atMs: 1400 },
    ])
  })

  it('is longer than a click', () => {
    expect(changesOf([...frames(0, 200), ...frames(0.5, 60), ...frames(0, 800)])).toEqual([])
  })

  it('is louder than the room, however loud that is', () => {
    const room = frames(0.03, 10_000)
    const sound = [...room, ...frames(0.3, 500), ...frames(0.03, 1000)]
    const later = changesOf(sound).filter(({ atMs }) => atMs >= 9900)
    expect(later.map(({ kind }) => kind)).toEqual(['started', 'stopped'])
  })

  it('has as many turns as there are', () => {
    const turn = [...frames(0.2, 300), ...frames(0, 300)]
    expect(changesOf([...turn, ...turn, ...turn], 200)).toHaveLength(6)
  })
})
