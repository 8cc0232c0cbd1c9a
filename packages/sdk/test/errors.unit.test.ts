import { readFileSync } from 'node:fs'
import { runInNewContext } from 'node:vm'
import { ErrorCodes, errorName, errorTable, isPluginError, PluginError } from '@appfactory/sdk'
import { fromErrorObject, toErrorObject } from '@appfactory/sdk/internal'
import { describe, expect, it } from 'vitest'
import * as otherCopy from '../src/errors.js'

const root = new URL('../../../', import.meta.url)
const generator = (await import(new URL('scripts/lib/error-codes.mjs', root).href)) as {
  errorCodesYaml(): string
  errorCodesMarkdown(): string
  errorCodesPython(): string
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
    ['packages/python/src/appfactory/error_codes.py', () => generator.errorCodesPython()],
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

  it('asks for a code where one is named', () => {
    const error = new PluginError('CALL_TIMEOUT', 'late', { timeout_ms: 5 })
    expect(isPluginError(error, 'CALL_TIMEOUT')).toBe(true)
    expect(isPluginError(error, 'PLUGIN_CRASHED')).toBe(false)
    expect(isPluginError(new otherCopy.PluginError('CALL_TIMEOUT'), 'CALL_TIMEOUT')).toBe(true)
    expect(isPluginError(new Error('CALL_TIMEOUT'), 'CALL_TIMEOUT')).toBe(false)
    expect([error, new Error('x'), error].filter(isPluginError)).toEqual([error, error])
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

/** An array that throws however it is looked at. */
function revoked(): unknown[] {
  const { proxy, revoke } = Proxy.revocable<unknown[]>([], {})
  revoke()
  return proxy
}

describe('what was thrown and says its reason elsewhere than in its message', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' })
  const hostile = new Proxy(
    {},
    {
      get: () => {
        throw new Error('no')
      },
      has: () => {
        throw new Error('no')
      },
      ownKeys: () => {
        throw new Error('no')
      },
    },
  )

  it.each([
    ['an object with a code', { code: 429, message: 'quota exceeded' }, /quota exceeded.*429/],
    ['what a server said', { error: { message: 'no such model', type: 'x' } }, /no such model/],
    ['an object without words', { status: 503, reason: 'busy' }, /503.*busy/],
    ['an object that can be text', { toString: () => 'out of paper' }, /^out of paper$/],
    ['a cause', new TypeError('fetch failed', { cause: refused }), /fetch failed.*ECONNREFUSED/],
    ['a cause alone', new Error('', { cause: new Error('CUDA out of memory') }), /^CUDA out of memory$/],
    [
      'a cause that is text',
      new Error('engine failed', { cause: 'out of memory' }),
      /engine failed.*out of memory/,
    ],
    ['causes of causes', new Error('a', { cause: new Error('b', { cause: { message: 'c' } }) }), /a.*b.*c/],
    ['several errors', new AggregateError([new Error('one'), 'two']), /one.*two/],
    ['a code alone', Object.assign(new Error(''), { code: 'EPIPE' }), /^EPIPE$/],
    ['an error of another realm', runInNewContext(`new RangeError('far')`), /^far$/],
    ['nothing at all', undefined, /^undefined$/],
    ['a symbol', Symbol('odd'), /odd/],
    ['nothing to look at', hostile, /^an object that can’t be/],
    ['an empty text', '', /^an empty text$/],
    ['a message that is no text', Object.assign(new Error('x'), { message: { detail: 'no GPU' } }), /no GPU/],
    ['an answer of a server', new Response('', { status: 503 }), /Response/],
    ['errors that can’t be read', Object.assign(new Error('of many'), { errors: revoked() }), /^of many$/],
    ['a cause that can’t be read', new Error('outer', { cause: revoked() }), /^outer: an object that/],
  ])('tells %s', (_, thrown, words) => {
    const { code, message } = toErrorObject(thrown)
    expect(code).toBe(ErrorCodes.INTERNAL_ERROR)
    expect(message.replace('Internal error: ', '')).toMatch(words)
  })

  it('is told once, and a circle or a crowd of causes ends', () => {
    const circle = new Error('round')
    circle.cause = new Error('and', { cause: circle })
    expect(toErrorObject(circle).message).toBe('Internal error: round: and')
    expect(toErrorObject(new Error('x failed: y', { cause: new Error('y') })).message).toBe(
      'Internal error: x failed: y',
    )
    const crowd = new AggregateError(Array.from({ length: 10_000 }, (_, index) => new Error(`no ${index}`)))
    expect(toErrorObject(crowd).message.length).toBeLessThan(200)
    expect(toErrorObject({ bulk: 'x'.repeat(1_000_000) }).message.length).toBeLessThan(1000)
    let deep: unknown = 'the bottom'
    for (let depth = 0; depth < 10_000; depth++) deep = new Error('x', { cause: deep })
    expect(toErrorObject(deep).message.length).toBeLessThan(1000)
  })

  it.each<[string, (inner: object) => object]>([
    [
      'causes',
      (inner) =>
        new AggregateError(
          [inner, inner, inner].map((same) => ({ ...same })),
          'x',
        ),
    ],
    ['causes', (inner) => new AggregateError([inner, Object.create(inner), inner], 'x')],
    ['data', (inner) => ({ a: inner, b: inner, c: inner })],
  ])('takes no time and no words without end where %s branch at each level', (_, around) => {
    let tree: object = new Error('leaf')
    for (let depth = 0; depth < 19; depth++) tree = around(tree)
    expect(toErrorObject(tree).message.length).toBeLessThan(2000)
    expect(toErrorObject(new PluginError(1000, 'told', tree)).message).toBe('told')
  })

  it.each([
    ['a code that is text', { code: 'E_TEXT' }, { code: ErrorCodes.INTERNAL_ERROR, message: 'told' }],
    ['a code that is no number', { code: Number.NaN }, { code: ErrorCodes.INTERNAL_ERROR, message: 'told' }],
    ['a message that is absent', { message: undefined }, { code: 1000, message: expect.any(String) }],
    [
      'a message that is an object',
      { message: { why: 'no GPU' } },
      { code: 1000, message: '{"why":"no GPU"}' },
    ],
    [
      'data with a name that no message may have',
      { data: JSON.parse('{"__proto__":1,"a":2}') },
      { data: { a: 2 } },
    ],
  ])('%s leaves the rest of a PluginError as it is', (_, changed, told) => {
    expect(toErrorObject(Object.assign(new PluginError(1000, 'told'), changed))).toMatchObject(told)
  })

  it('keeps the data of a PluginError that is no JSON', () => {
    const circle: { self?: unknown } = {}
    circle.self = circle
    const data = {
      error: new TypeError('x', { cause: 'y' }),
      circle,
      big: 2n ** 70n,
      map: new Map([['a', new Error('inside')]]),
      set: new Set([1]),
      date: new Date(0),
      hostile,
      fine: [null, 1.5, 'text', { nested: true }],
    }
    const { data: told, code } = toErrorObject(new PluginError('TTS_SYNTHESIS_FAILED', 'x', data))
    expect(code).toBe(1000)
    expect(JSON.parse(JSON.stringify(told))).toMatchObject({
      error: { name: 'TypeError', message: 'x', cause: 'y' },
      circle: { self: '[circular]' },
      big: String(2n ** 70n),
      map: [['a', { message: 'inside' }]],
      set: [1],
      date: '1970-01-01T00:00:00.000Z',
      hostile: expect.stringMatching(/read/),
      fine: [null, 1.5, 'text', { nested: true }],
    })
    expect(data.error).toBeInstanceOf(TypeError)
  })
})
