import { runInNewContext } from 'node:vm'
import { compileCodec, decodeState, encodeState } from '@appfactory/sdk/internal'
import { describe, expect, it } from 'vitest'

describe('values whose classes are those of another realm', () => {
  const foreign: Record<string, unknown> = runInNewContext(
    '({ words: ["a", { b: 1 }], bytes: new Uint8Array(3).fill(7), nothing: null })',
  )

  it('are state of a plugin like any other', () => {
    const state = decodeState(JSON.parse(JSON.stringify(encodeState(foreign, 1000))))
    expect(state).toMatchObject({ words: ['a', { b: 1 }], nothing: null })
    expect([...(state as { bytes: Uint8Array }).bytes]).toEqual([7, 7, 7])
    expect(() => encodeState({ when: runInNewContext('new Date()') }, 1000)).toThrow(/Date/)
    expect(() => encodeState({ map: runInNewContext('new Map()') }, 1000)).toThrow(/Map/)
  })

  it('are bytes where bytes are asked for', () => {
    const encode = compileCodec({ type: 'string', contentEncoding: 'base64' }, 'encode')
    expect(JSON.stringify(encode(foreign['bytes']))).toBe('{"value":"BwcH","issues":[]}')
    expect(encode(foreign['words']).issues).toHaveLength(1)
  })
})
