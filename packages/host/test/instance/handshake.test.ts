import { describe, expect, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { giveOddValue, type OddValue, writePlainPlugin } from '../fixtures/plain-plugin.js'
import { runningOf, temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

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

function casesOf(request: string, places: Place[]): OddValue[] {
  return places.flatMap(([path, also]) => {
    const isRight = (value: unknown): boolean =>
      also.some((each) => JSON.stringify(each) === JSON.stringify(value))
    return oddValues.filter((value) => !isRight(value)).map((value) => ({ request, path, value }))
  })
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

describe('an answer that is not as it should be names what is missing or wrong, and leaves nothing running', () => {
  const cases = casesOf('plugin/handshake', handshake)
  // Each is a process: a third of them in each test, so that none takes long.
  test.each([0, 1, 2])(
    'to the handshake (part %i)',
    async (part) => {
      const root = temporaryFolder()
      const dir = await writePlainPlugin(root)
      writePlugin(root, 'fine', ttsPlugin())
      await using host = new PluginHost({ pluginsDir: root })
      for (const odd of cases.filter((_, index) => index % 3 === part)) {
        giveOddValue(dir, odd)
        const error: unknown = await host.load('plain').catch((reason: unknown) => reason)
        const what = `${textOf(odd.path)} = ${JSON.stringify(odd.value)}`
        // Another number is another version of the protocol, if that.
        const isOther = odd.path[0] === 'protocol_version' && typeof odd.value === 'number'
        expect(error, what).toMatchObject({
          codeName: isOther ? 'PROTOCOL_VERSION_UNSUPPORTED' : 'CONTRACT_MISMATCH',
        })
        if (!isOther)
          expect(
            pathsOf(error).some((path) => isAbout(path, textOf(odd.path))),
            `${what}: ${error}`,
          ).toBe(true)
        expect(runningOf(dir), what).toEqual([])
        expect((await host.list()).map(({ name, loaded }) => [name, loaded])).toEqual([
          ['fine', false],
          ['plain', false],
        ])
      }
      await host.load('fine')
    },
    120_000,
  )

  test('to a health check', async () => {
    const root = temporaryFolder()
    const dir = await writePlainPlugin(root)
    await using host = new PluginHost({ pluginsDir: root })
    for (const odd of casesOf('plugin/health', health)) {
      giveOddValue(dir, odd)
      await host.load('plain')
      const error: unknown = await host.health('plain').catch((reason: unknown) => reason)
      const what = `${textOf(odd.path)} = ${JSON.stringify(odd.value)}`
      expect(error, what).toMatchObject({ codeName: 'CONTRACT_MISMATCH' })
      expect(
        pathsOf(error).some((path) => isAbout(path, textOf(odd.path))),
        `${what}: ${error}`,
      ).toBe(true)
      expect(Object.keys(await host.health())).toEqual(['plain'])
      expect(await host.call('plain', 'get_voices')).toHaveLength(1)
      await host.unload('plain')
    }
    expect(runningOf(dir)).toEqual([])
  }, 120_000)
})

describe('a contract of which no handle can be made is refused, and leaves nothing running', () => {
  const cases: Record<string, OddValue['value']> = {
    'a method named as what each handle has': 'name',
    'a method that would make a promise of the handle': 'then',
    'a method named as another': 'getVoices',
  }
  test.each(Object.entries(cases))('%s', async (_, value) => {
    const root = temporaryFolder()
    const dir = await writePlainPlugin(root)
    giveOddValue(dir, { request: 'plugin/handshake', path: method('name'), value })
    const host = new PluginHost({ pluginsDir: root })
    await expect(host.load('plain')).rejects.toMatchObject({ codeName: 'CONTRACT_MISMATCH' })
    await expect(host.describe('plain')).rejects.toMatchObject({ codeName: 'CONTRACT_MISMATCH' })
    await host.close()
    expect(runningOf(dir)).toEqual([])
  })
})

test('a plugin that answers initialize with false is not initialized', async () => {
  const root = temporaryFolder()
  const dir = await writePlainPlugin(root)
  await using host = new PluginHost({ pluginsDir: root })
  giveOddValue(dir, { request: 'plugin/initialize', path: [], value: false })
  await expect(host.load('plain')).rejects.toMatchObject({ codeName: 'PLUGIN_INITIALIZE_FAILED' })
  expect(runningOf(dir)).toEqual([])
  giveOddValue(dir, { request: 'plugin/initialize', path: [], value: true })
  await host.load('plain')
})

test('a plugin of a huge contract that is wrong all over is refused with few words', async () => {
  const root = temporaryFolder()
  const dir = await writePlainPlugin(root)
  await using host = new PluginHost({ pluginsDir: root })
  giveOddValue(dir, {
    request: 'plugin/handshake',
    path: ['contract', 'methods'],
    value: Array(100_000).fill({}),
  })
  const error: unknown = await host.load('plain').catch((reason: unknown) => reason)
  expect(error).toMatchObject({ codeName: 'CONTRACT_MISMATCH' })
  expect(String(error).length).toBeLessThan(2000)
})
