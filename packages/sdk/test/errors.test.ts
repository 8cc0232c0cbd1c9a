import { readFileSync } from 'node:fs'
import { ErrorCodes, errorName, errorTable, isPluginError, PluginError } from '@appfactory/sdk'
import { fromErrorObject, toErrorObject } from '@appfactory/sdk/wire'
import { describe, expect, it } from 'vitest'
import * as otherCopy from '../src/errors.js'

const root = new URL('../../../', import.meta.url)
const generator = (await import(new URL('scripts/lib/error-codes.mjs', root).href)) as {
  errorCodesYaml(): string
  errorCodesMarkdown(): string
}

describe('the table', () => {
  it('and ErrorCodes say the same', () => {
    expect(ErrorCodes).toEqual(Object.fromEntries(errorTable.map(({ name, code }) => [name, code])))
    for (const { name, code } of errorTable) expect(errorName(code)).toBe(name)
  })

  it('has each code and each name once', () => {
    expect(new Set(errorTable.map(({ code }) => code)).size).toBe(errorTable.length)
    expect(new Set(errorTable.map(({ name }) => name)).size).toBe(errorTable.length)
  })

  it.each(errorTable)('$name says what happened and what to do', ({ code, name, description, advice }) => {
    expect(Number.isSafeInteger(code)).toBe(true)
    expect(name).toMatch(/^[A-Z]+(_[A-Z]+)*$/)
    expect(description).toMatch(/\.$/)
    expect(advice).toMatch(/\.$/)
  })

  it.each([
    ['config/error_codes.yaml', () => generator.errorCodesYaml()],
    ['docs/error-codes.md', () => generator.errorCodesMarkdown()],
  ])('is what %s was made from', (path, generate) => {
    expect(readFileSync(new URL(path, root), 'utf8')).toBe(generate())
  })

  it('keeps the codes that the guide promises', () => {
    expect(ErrorCodes).toMatchObject({
      TTS_SYNTHESIS_FAILED: 1000,
      TTS_VOICE_NOT_FOUND: 1001,
      TTS_TEXT_TOO_LONG: 1002,
      STT_TRANSCRIPTION_FAILED: 1100,
      STT_AUDIO_INVALID: 1101,
      LLM_COMPLETION_FAILED: 1200,
      LLM_MODEL_NOT_AVAILABLE: 1201,
      PARSE_ERROR: -32700,
      REQUEST_CANCELLED: -32800,
    })
  })
})

describe('PluginError', () => {
  it('is made from a code or from its name', () => {
    const byCode = new PluginError(1002, 'Text exceeds maximum length', { limit: 10 })
    const byName = new PluginError('TTS_TEXT_TOO_LONG', 'Text exceeds maximum length', { limit: 10 })
    for (const error of [byCode, byName]) {
      expect(error).toBeInstanceOf(Error)
      expect(error).toMatchObject({ name: 'PluginError', code: 1002, codeName: 'TTS_TEXT_TOO_LONG' })
      expect(error.data).toEqual({ limit: 10 })
    }
  })

  it('says what the table says where no message is given', () => {
    expect(new PluginError('CALL_TIMEOUT').message).toBe(
      errorTable.find(({ name }) => name === 'CALL_TIMEOUT')?.description,
    )
  })

  it('takes a code of the author’s own', () => {
    const error = new PluginError(2001, 'Out of paper')
    expect(error).toMatchObject({ code: 2001, codeName: undefined, message: 'Out of paper' })
    expect(new PluginError(2001).message).toContain('2001')
  })

  it('keeps its cause', () => {
    const cause = new Error('socket closed')
    expect(new PluginError(1000, 'No speech', undefined, { cause }).cause).toBe(cause)
  })

  it.each([1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 'NO_SUCH_CODE', undefined, null, {}])(
    'refuses %o as a code',
    (code) => {
      expect(() => new PluginError(code as never)).toThrow(TypeError)
    },
  )
})

describe('recognition', () => {
  it('works across copies of the SDK', () => {
    const foreign = new otherCopy.PluginError('TTS_TEXT_TOO_LONG', 'too long')
    expect(foreign).not.toBeInstanceOf(PluginError)
    expect(isPluginError(foreign)).toBe(true)
    expect(otherCopy.isPluginError(new PluginError(1002))).toBe(true)
    expect(toErrorObject(foreign)).toEqual({ code: 1002, message: 'too long' })
  })

  it.each([new Error('x'), { code: 1002, message: 'x', name: 'PluginError' }, null, undefined, 'x', 1002])(
    'does not take %o for one',
    (value) => {
      expect(isPluginError(value)).toBe(false)
    },
  )
})

describe('on the wire', () => {
  it('a PluginError goes over and comes back as it is', () => {
    const error = new PluginError(1101, 'No audio', { format: 'mp4' })
    const back = fromErrorObject(JSON.parse(JSON.stringify(toErrorObject(error))))
    expect(isPluginError(back)).toBe(true)
    expect(back).toMatchObject({ code: 1101, message: 'No audio', data: { format: 'mp4' } })
    expect(toErrorObject(new PluginError(1101, 'No audio'))).not.toHaveProperty('data')
  })

  it('an error that nobody foresaw is INTERNAL_ERROR, without its stack', () => {
    const object = toErrorObject(new RangeError('out of range'))
    expect(object.code).toBe(ErrorCodes.INTERNAL_ERROR)
    expect(object.data).toEqual({ error: 'RangeError' })
    expect(JSON.stringify(object)).not.toContain('errors.test')
  })

  it.each(['a string', 17, null, undefined, { message: 'an object' }])('%o can be thrown too', (value) => {
    expect(toErrorObject(value).code).toBe(ErrorCodes.INTERNAL_ERROR)
  })

  it('a code that is none becomes INTERNAL_ERROR', () => {
    expect(fromErrorObject({ code: 1.5, message: 'x' }).code).toBe(ErrorCodes.INTERNAL_ERROR)
  })
})
