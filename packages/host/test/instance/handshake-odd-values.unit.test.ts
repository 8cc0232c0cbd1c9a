import type { Manifest } from '@appfactory/sdk'
import { readShippedContract } from '@appfactory/sdk/contracts'
import { describe, expect, test } from 'vitest'
import { checkHandshake, checkHealth } from '../../src/instance/handshake.js'

/** None of them is right anywhere below, but where `also` says so. Undefined: nothing is there. */
const oddValues = [undefined, null, true, 5, -1.5, 'x', 'two words', [], [5], {}, { x: 5 }]

type Place = [path: (string | number)[], also: unknown[]]

const method = (...path: string[]): (string | number)[] => ['contract', 'methods', 0, ...path]
const anyText = ['x', 'two words']
const anySchema = [{}, { x: 5 }]
const noType: unknown[] = []
/** A response without any result is none: the wire says so. */
const nothingAtAll = [undefined]

/** Each place of the handshake's answer, with the odd values that are right there. */
const handshake: Place[] = [
  [[], nothingAtAll],
  [['protocol_version'], noType],
  [['sdk_version'], anyText],
  [['contract'], noType],
  [['contract', 'name'], noType],
  [['contract', 'version'], anyText],
  [['contract', 'description'], anyText],
  [['contract', 'methods'], [[]]],
  [method(), noType],
  [method('name'), ['x']],
  [method('wire'), ['x']],
  [method('description'), anyText],
  [method('kind'), noType],
  [method('required'), [true]],
  [method('idempotent'), [true]],
  [method('parameters'), [null, []]],
  [method('input'), [null, ...anyText]],
  [method('bare'), [null, ...anyText]],
  [method('unwrap'), [null, ...anyText]],
  [method('session'), [null]],
  [method('args'), anySchema],
  [method('args', 'properties'), [undefined, {}]],
  [method('args', 'properties', 'text'), [undefined, ...anySchema]],
  [method('args', 'required'), [undefined, []]],
  [method('result'), anySchema],
  [method('piece'), [null, ...anySchema]],
  [['capabilities'], [[]]],
  [['config_schema'], [null, ...anySchema]],
  [['byte_channels'], [[]]],
]

const health: Place[] = [
  [[], nothingAtAll],
  [['status'], noType],
  [['message'], anyText],
  [['details'], anySchema],
  [['latency_ms'], [null, 5, -1.5]],
  [['memory_mb'], [null, 5, -1.5]],
]

/** An answer, and what is odd in it. */
interface OddAnswer {
  path: (string | number)[]
  value: unknown
  answer: unknown
}

function casesOf(right: unknown, places: Place[]): OddAnswer[] {
  return places.flatMap(([path, also]) => {
    const isRight = (value: unknown): boolean =>
      also.some((each) => JSON.stringify(each) === JSON.stringify(value))
    return oddValues
      .filter((value) => !isRight(value))
      .map((value) => ({ path, value, answer: withOdd(right, path, value) }))
  })
}

/** A copy with another value at a place, or with nothing there. */
function withOdd(whole: unknown, [key, ...rest]: (string | number)[], value: unknown): unknown {
  if (key === undefined) return value
  const copy = Object.assign(Array.isArray(whole) ? [] : {}, whole)
  const odd = withOdd(Reflect.get(copy, key), rest, value)
  if (odd === undefined) Reflect.deleteProperty(copy, key)
  else Reflect.set(copy, key, odd)
  return copy
}

/** `['contract', 'methods', 0]` → `contract.methods[0]` */
function textOf(path: readonly (string | number)[]): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`))
    .join('')
    .replace(/^\./, '')
}

/** The paths of what an error says is wrong. */
function pathsOf(error: unknown): string[] {
  const { issues = [] } = (Reflect.get(Object(error), 'data') ?? {}) as { issues?: { path: string }[] }
  return issues.map(({ path }) => path)
}

/** Whether one of the places is, is in, or is around another. */
function isAbout(path: string, wanted: string): boolean {
  return path.startsWith(wanted) || (wanted.startsWith(path) && path !== '')
}

const manifest: Manifest = {
  ...{ name: 'plain', version: '1.0.0', contract: 'tts', entry_point: 'index.js' },
  ...{ runtime: 'node', dependencies: [] },
}

const rightHandshake = {
  protocol_version: 1,
  sdk_version: '0.0.0',
  contract: await readShippedContract('tts'),
  capabilities: ['synthesize'],
  config_schema: null,
  byte_channels: [],
}

const rightHealth = { status: 'READY', message: '', details: {}, latency_ms: null, memory_mb: null }

/** What a check throws. */
function thrownBy(check: () => void): unknown {
  try {
    check()
    return undefined
  } catch (error) {
    return error
  }
}

function expectNamed(error: unknown, { path, value }: OddAnswer): void {
  const what = `${textOf(path)} = ${JSON.stringify(value)}`
  expect(error, what).toMatchObject({ codeName: 'CONTRACT_MISMATCH' })
  expect(
    pathsOf(error).some((each) => isAbout(each, textOf(path))),
    `${what}: ${error}`,
  ).toBe(true)
}

describe('an answer that is not as it should be names what is missing or wrong', () => {
  test('to the handshake', () => {
    checkHandshake(manifest, rightHandshake)
    for (const odd of casesOf(rightHandshake, handshake)) {
      const error = thrownBy(() => checkHandshake(manifest, odd.answer))
      // Another number is another version of the protocol, if that.
      if (odd.path[0] === 'protocol_version' && typeof odd.value === 'number')
        expect(error).toMatchObject({ codeName: 'PROTOCOL_VERSION_UNSUPPORTED' })
      else expectNamed(error, odd)
    }
  })

  test('to a health check', () => {
    checkHealth('plain', rightHealth)
    for (const odd of casesOf(rightHealth, health))
      expectNamed(
        thrownBy(() => checkHealth('plain', odd.answer)),
        odd,
      )
  })
})
