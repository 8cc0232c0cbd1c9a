import { decodeWav as decodeReference, encodeWav as encodeReference } from '@appfactory/sdk'
import { describe, expect, it } from 'vitest'
import { endingOf, typeOf } from '../src/audio/format.js'
import { fileOf, type SpeechPart } from '../src/audio/speech.js'

const tone = Int16Array.from({ length: 80 }, (_, index) => Math.sin(index / 5) * 20_000)
const text = (value: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(value)

function part(bytes: Uint8Array<ArrayBuffer>, more: Partial<SpeechPart> = {}): SpeechPart {
  return { bytes, format: undefined, sampleRate: undefined, channels: undefined, ...more }
}

describe('fileOf', () => {
  it('gives samples a header, whether they come whole or in pieces', () => {
    const raw = part(new Uint8Array(tone.buffer), { format: 'pcm_s16le', sampleRate: 8000, channels: 2 })
    const whole = fileOf([raw, raw])
    expect(whole && decodeReference(whole)).toMatchObject({
      sampleRate: 8000,
      channels: 2,
      bitsPerSample: 16,
    })
    expect(whole && decodeReference(whole)?.data).toHaveLength(320)
  })

  it('joins WAV files, and lets others follow one another', () => {
    const wav = part(new Uint8Array(encodeReference(tone, { sampleRate: 8000 })), { format: 'wav' })
    const whole = fileOf([wav, wav])
    expect(whole && decodeReference(whole)?.data).toHaveLength(320)
    const mp3 = [part(text('ID3one'), { format: 'mp3' }), part(text('ID3two'), { format: 'mp3' })]
    expect(fileOf(mp3)).toEqual(text('ID3oneID3two'))
  })

  it('leaves a single file as it is, and makes none of nothing', () => {
    const ogg = part(text('OggS…'), { format: 'ogg' })
    expect(fileOf([ogg])).toBe(ogg.bytes)
    expect(fileOf([])).toBeUndefined()
  })
})

it.each([
  ['OggS', 'audio/ogg', 'ogg'],
  ['fLaC', 'audio/flac', 'flac'],
  ['ID3', 'audio/mpeg', 'mp3'],
  ['RIFF....WAVE', 'audio/wav', 'wav'],
  ['0000ftypM4A ', 'audio/mp4', 'm4a'],
  ['{"a": 1}', '', undefined],
  ['', '', undefined],
])('%j is %j', (beginning, type, ending) => {
  expect(typeOf(text(beginning))).toBe(type)
  expect(endingOf(text(beginning))).toBe(ending)
})
