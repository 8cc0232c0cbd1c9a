import type { STTContract } from '@appfactory/sdk'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { linkZod, temporaryFolder, writePlugin } from '../fixtures/plugins.js'

/** Where bytes may stand in a schema; each as Zod, as a value, and as the same value on the wire. */
const shapes = {
  bare: ['bytes', (data: Uint8Array) => data, (text: string): unknown => text],
  list: ['z.array(bytes)', (data: Uint8Array) => [data, data], (text: string) => [text, text]],
  nested: ['z.array(z.array(bytes))', (data: Uint8Array) => [[data]], (text: string) => [[text]]],
  record: [
    'z.record(z.string(), bytes)',
    (data: Uint8Array) => ({ a: data, b: data }),
    (text: string) => ({ a: text, b: text }),
  ],
  tuple: [
    'z.tuple([z.number(), bytes])',
    (data: Uint8Array) => [1, data] as const,
    (text: string) => [1, text],
  ],
  nullable: ['bytes.nullable()', (data: Uint8Array) => data, (text: string) => text],
  union: ['z.union([z.number(), bytes])', (data: Uint8Array) => data, (text: string) => text],
  unionOfObjects: [
    'z.union([z.looseObject({ n: z.number() }), z.looseObject({ list: z.array(bytes) })])',
    (data: Uint8Array) => ({ list: [data] }),
    (text: string) => ({ list: [text] }),
  ],
  property: [
    'z.object({ image: bytes })',
    (data: Uint8Array) => ({ image: data }),
    (text: string) => ({ image_b64: text }),
  ],
} as const

const names = Object.keys(shapes) as (keyof typeof shapes)[]

/** Gives back what it gets, in every shape: as a result and as pieces, and from its state. */
const echo = `
import { defineContract } from '@appfactory/sdk'
import { z } from 'zod'
const bytes = z.instanceof(Uint8Array)
const shapes = { ${names.map((name) => `${name}: ${shapes[name][0]}`).join(', ')} }
const methods = {
  size: { args: z.object({}), result: z.number() },
  open: { args: z.object({ value: z.any() }), result: z.any() },
}
for (const [name, shape] of Object.entries(shapes)) {
  methods[name] = { args: z.object({ value: shape }), result: shape }
  methods[name + 'Pieces'] = { kind: 'stream', args: z.object({ value: shape }), piece: shape, result: z.array(shape) }
}
const Echo = defineContract({ name: 'echo', version: '1.0.0', methods })
export default class Plugin extends Echo {
  async initialize() {}
  async shutdown() {}
  healthCheck() { return { status: this.status } }
  captureState() { return this.kept }
  restoreState(state) { this.kept = state }
  open({ value }) { return value }
  size() { return this.kept?.list?.[0]?.constructor === Uint8Array ? this.kept.list[0].length : 0 }
}
for (const name of Object.keys(shapes)) {
  Plugin.prototype[name] = function ({ value }) { this.kept = { list: Array.isArray(value) ? value : [value] }; return value }
  Plugin.prototype[name + 'Pieces'] = async function* ({ value }) { yield value; yield value }
}
`

type Echo = Record<string, (args: { value: unknown }) => unknown>

async function startEcho() {
  const root = temporaryFolder()
  const dir = writePlugin(root, 'echo', echo, { contract: 'echo' })
  linkZod(dir)
  const host = new PluginHost({ pluginsDir: root })
  return { host, plugin: (await host.load('echo')) as unknown as Echo }
}

describe('bytes of 2,048 and more that do not stand right in a field of their own are lost', () => {
  test('between an application and a plugin, in both directions', async () => {
    const { host, plugin } = await startEcho()
    await using _closed = host
    const cases = fc.record({
      name: fc.constantFrom(...names),
      size: fc.constantFrom(0, 1, 2047, 2048, 100_000),
      fill: fc.nat(255),
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ name, size, fill }) => {
        const value = shapes[name][1](new Uint8Array(size).fill(fill))
        expect(plain(await plugin[name]?.({ value }))).toEqual(plain(value))
        const pieces = plugin[`${name}Pieces`]?.({ value }) as AsyncIterable<unknown>
        for await (const piece of pieces) expect(plain(piece)).toEqual(plain(value))
      }),
      { numRuns: 60, examples: names.map((name) => [{ name, size: 2048, fill: 7 }]) },
    )
  }, 60_000)

  test.each(names)('for a client that speaks plain JSON: %s', async (name) => {
    const { host } = await startEcho()
    await using _closed = host
    for (const size of [2047, 2048, 100_000]) {
      const value = shapes[name][2](Buffer.alloc(size, 5).toString('base64'))
      const given = { [await argumentOf(host, name)]: value }
      const method = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
      expect(await host.call('echo', method, given)).toEqual(value)
      for await (const piece of host.stream('echo', `${method}_pieces`, given)) expect(piece).toEqual(value)
      expect(await host.call('echo', `${method}_pieces`, given)).toEqual([value, value])
    }
  })

  test('in the state that a successor gets', async () => {
    const { host, plugin } = await startEcho()
    await using _closed = host
    for (const size of [2047, 2048, 100_000]) {
      await plugin['list']?.({ value: [new Uint8Array(size)] })
      await host.swap('echo', 'echo')
      expect(await host.call('echo', 'size')).toBe(size)
    }
  })
})

/** The wire name of the only argument of a method. */
async function argumentOf(host: PluginHost, name: string): Promise<string> {
  const { contract } = await host.describe('echo')
  const { properties = {} } = contract.methods.find((each) => each.name === name)?.args ?? {}
  return Object.keys(properties as object)[0] ?? ''
}

/** Buffers and Uint8Arrays alike. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
}

/** Notes the order in which it hears of things. */
const listener = `
import { STTContract } from '@appfactory/sdk'
export default class extends STTContract {
  heard = []
  async initialize() {}
  async shutdown() {}
  healthCheck() { return { status: this.status } }
  async transcribe() { return '' }
  async getLanguages() { return [] }
  async startStream() { this.heard = []; return 'one' }
  async feedAudio(id, audio) { this.heard.push(audio[0]); return { partial: null, final: null } }
  async endStream() { return this.heard.join(' ') + ' end' }
}`

async function startListener() {
  const root = temporaryFolder()
  writePlugin(root, 'listener', listener, { contract: 'stt' })
  const host = new PluginHost({ pluginsDir: root })
  return { host, stt: await host.load<STTContract>('listener') }
}

test('what JSON can’t carry is not changed without a word where the schema leaves it open', async () => {
  const { host, plugin } = await startEcho()
  await using _ = host
  const open = (value: unknown) => plugin['open']?.({ value })
  for (const value of [Number.NaN, 5n, new Map(), Buffer.alloc(3), () => 1, new Float32Array(1)])
    await expect(open({ deep: [value] })).rejects.toMatchObject({
      codeName: 'INVALID_PARAMS',
      message: expect.stringContaining('value.deep[0]: must be what JSON can carry'),
    })
  const date = new Date(0)
  expect(await open({ date, url: new URL('file:///a'), absent: undefined, zero: 0 })).toEqual({
    date: date.toISOString(),
    url: 'file:///a',
    zero: 0,
  })
})

describe('calls of one session overtake each other where some bring more bytes', () => {
  test.each([
    ['3,000 and 1,000 in turn', (part: number) => (part % 2 === 0 ? 3000 : 1000)],
    ['ever fewer', (part: number) => 300_000 - part * 15_000],
    ['only the last one many', (part: number) => (part === 19 ? 5_000_000 : 10)],
  ])('%s', async (_, sizeOf) => {
    const { host, stt } = await startListener()
    await using _closed = host
    const id = await stt.startStream()
    const parts = Array.from({ length: 20 }, (_part, part) => part)
    const feeding = parts.map((part) => stt.feedAudio(id, new Uint8Array(sizeOf(part)).fill(part)))
    const ending = stt.endStream(id)
    await Promise.all(feeding)
    expect(await ending).toMatchObject({ text: `${parts.join(' ')} end` })
  })

  test('and one that is cancelled meanwhile holds up no other', async () => {
    const { host, stt } = await startListener()
    await using _closed = host
    const id = await stt.startStream()
    const cancelling = new AbortController()
    const { signal } = cancelling
    const first = stt.feedAudio(id, new Uint8Array(50_000_000).fill(1), { signal })
    const second = stt.feedAudio(id, new Uint8Array(10).fill(2))
    const ending = stt.endStream(id)
    setImmediate(() => cancelling.abort())
    await expect(first).rejects.toMatchObject({ codeName: 'REQUEST_CANCELLED' })
    await second
    expect(await ending).toMatchObject({ text: '2 end' })
  })
})
