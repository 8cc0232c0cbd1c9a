import type { PluginError } from '@appfactory/sdk'
import { IncomingCall } from '@appfactory/sdk/internal'
import { expect, test } from 'vitest'
import type { HostInternals, PluginHost } from '../../src/host.js'
import type { ServerContext } from '../../src/server/methods.js'
import { runServerMethod } from '../../src/server/run.js'
import { servedHost } from '../../src/server/served-host.js'

/** A host that notes what it is asked for; `one` serves the contract `tts`. */
function server(can: object = {}) {
  const calls: unknown[][] = []
  const note =
    (name: string, result?: unknown) =>
    async (...given: unknown[]) => {
      calls.push([name, ...given])
      return result
    }
  const pieces: unknown[] = []
  const subscribed: unknown[] = []
  const shutDowns: number[] = []
  const internals = {
    calls: {
      call: (plugin: string, method: string, args: unknown, options: object) =>
        note('call', `${plugin}: ${method}`)(plugin, method, args, plainOf(options)),
      async *stream(plugin: string, method: string, args: unknown, options: object) {
        await note('stream')(plugin, method, args, plainOf(options))
        yield 'a'
        yield 'b'
      },
    },
    catalogue: {
      knowsContract: async (contract: string) => contract === 'tts',
      summary: async (name: string) => ({ name, displayName: name.toUpperCase() }),
    },
  }
  const host = {
    active: (contract: string) => (contract === 'tts' ? 'one' : undefined),
    requireActive: async () => 'one',
    list: async () => [{ contract: 'tts' }, { contract: 'tts' }, { contract: 'stt' }],
    load: note('load'),
    unload: note('unload'),
    swap: note('swap', { oldPlugin: 'one', newPlugin: 'two' }),
    discover: async (paths: unknown) => {
      calls.push(['discover', paths])
      return { pluginsFound: 1, plugins: [{ name: 'one', dir: '/one' }] }
    },
    health: async (name?: string) => {
      calls.push(['health', name])
      return name === undefined ? { one: { status: 'READY' } } : { status: 'BUSY' }
    },
    status: () => ({ version: '1' }),
    ...can,
  }
  const ask = async (method: string, params?: unknown): Promise<unknown> => {
    const call = new IncomingCall(
      { jsonrpc: '2.0', method, params: params as Record<string, unknown>, id: 1 },
      connection,
      0,
    )
    const context: ServerContext = {
      served: servedHost(host as unknown as PluginHost, internals as unknown as HostInternals),
      call,
      room: () => undefined,
      subscribe: (types) => subscribed.push(types),
      shutDown: (timeoutMs) => shutDowns.push(timeoutMs),
      openBytes: (nonce) => ({ token: nonce }),
      arrival: {},
      fallbacks: { add: () => {} },
    }
    return runServerMethod(context)
  }
  const connection = {
    sendPiece: (_id: unknown, sequence: number, value: unknown) => void pieces.push([sequence, value]),
    notify: () => {},
    answerEarly: () => {},
    countHeld: () => {},
  }
  return { ask, calls, pieces, subscribed, shutDowns }
}

/** Without what is the same for all calls. */
function plainOf({
  cancellation: _cancellation,
  arrival: _arrival,
  ...options
}: {
  cancellation?: unknown
  arrival?: unknown
}): object {
  return JSON.parse(JSON.stringify(options)) as object
}

const invalid = { codeName: 'INVALID_PARAMS' }

test('a call goes to the plugin that it names, with its time and its retries', async () => {
  const { ask, calls } = server()
  expect(await ask('plugin/call', { plugin: 'one', method: 'say', args: { text: 'x' } })).toBe('one: say')
  expect(await ask('plugin/call', { plugin: 'one', method: 'say' })).toBe('one: say')
  await ask('plugin/call', { plugin: 'one', method: 'say', timeout: 5, retry: 2 })
  expect(calls).toEqual([
    ['call', 'one', 'say', { text: 'x' }, {}],
    ['call', 'one', 'say', {}, {}],
    ['call', 'one', 'say', {}, { timeoutMs: 5, retry: 2 }],
  ])
})

test('only plugin/call is a call by the names of a plugin and a method', async () => {
  const { ask, calls } = server()
  const named = { plugin: 'two', method: 'sing' }
  await expect(ask('ping', named)).rejects.toMatchObject(invalid)
  expect(await ask('tts/say', named)).toBe('one: say')
  expect(calls).toEqual([['call', 'one', 'say', named, {}]])
})

test.each([0, 65])('%s processes are refused in words for people', async (replicas) => {
  const { ask } = server()
  const words = expect.stringMatching(/^plugin\/scale: replicas: must be at (least 1|most 64), not \d+$/)
  await expect(ask('plugin/scale', { name: 'one', replicas })).rejects.toMatchObject({ message: words })
})

test('an argument that follows piece by piece is named to the plugin', async () => {
  const { ask, calls } = server()
  await ask('plugin/call', { plugin: 'one', method: 'say', args: { text: 'x', audio: { $input: true } } })
  const [, , , args, options] = calls[0] ?? []
  expect(args).toMatchObject({ text: 'x' })
  expect(options).toMatchObject({ input: { name: 'audio' } })
})

test.each([
  ['no plugin', { method: 'say' }],
  ['a plugin that is a number', { plugin: 1, method: 'say' }],
  ['no method', { plugin: 'one' }],
  ['arguments that are an array', { plugin: 'one', method: 'say', args: [] }],
  ['arguments that are null', { plugin: 'one', method: 'say', args: null }],
  ['arguments that are text', { plugin: 'one', method: 'say', args: 'x' }],
  ['a parameter that there is not', { plugin: 'one', method: 'say', timeot: 5 }],
  ['no time', { plugin: 'one', method: 'say', timeout: 0 }],
  ['less than no retry', { plugin: 'one', method: 'say', retry: -1 }],
  ['half a retry', { plugin: 'one', method: 'say', retry: 0.5 }],
  ['a credit of nothing', { plugin: 'one', method: 'say', stream: { credit: 0 } }],
  ['parameters by place', ['one', 'say']],
])('a call with %s is refused, and nothing is called', async (_, params) => {
  const { ask, calls } = server()
  await expect(ask('plugin/call', params)).rejects.toMatchObject(invalid)
  expect(calls).toEqual([])
})

test.each([
  [{}, 'plugin/call: plugin: is required; method: is required'],
  [{ plugin: 'one', method: 7 }, 'plugin/call: method: must be a string, not 7'],
  [{ plugin: 'one', method: 'say', args: [] }, 'plugin/call: args: must be an object, not an array of 0'],
  [{ plugin: 'one', method: 'say', timeot: 5 }, 'plugin/call: timeot: is not known; did you mean timeout?'],
  [
    { name: 'one', method: 'say' },
    'plugin/call: plugin: is required; name: is not known; there is plugin, method, args, timeout, retry, stream, fallback, trace',
  ],
])('what is wrong with a call is told in the words that arguments get: %j', async (params, message) => {
  await expect(server().ask('plugin/call', params)).rejects.toMatchObject({ message })
})

test('pieces go to the client as they come, and its answer counts them', async () => {
  const { ask, calls, pieces } = server()
  expect(await ask('plugin/call', { plugin: 'one', method: 'say', stream: true })).toEqual({ pieces: 2 })
  expect(await ask('tts/say', { text: 'x', stream: { credit: 2 } })).toEqual({ pieces: 2 })
  expect(pieces.slice(0, 2)).toEqual([
    [0, 'a'],
    [1, 'b'],
  ])
  expect(calls).toEqual([
    ['stream', 'one', 'say', {}, {}],
    ['stream', 'one', 'say', { text: 'x' }, { credit: 2 }],
  ])
})

test('a client that wants no stream gets none', async () => {
  const { ask, calls } = server()
  await ask('tts/say', { stream: false })
  expect(calls).toEqual([['call', 'one', 'say', {}, {}]])
  await expect(ask('tts/say', { stream: 'yes' })).rejects.toMatchObject(invalid)
})

test('a method of a contract goes to the plugin that serves it, also before one is known to', async () => {
  const { ask, calls } = server()
  const first = ask('tts/say', { session_id: 'x' })
  // Synchronously, so that the calls of a session keep their order.
  expect(calls).toHaveLength(1)
  expect([await first, await ask('tts/say', {}), await ask('tts/say')]).toEqual(
    Array.from({ length: 3 }, () => 'one: say'),
  )
  await expect(ask('tts/say', ['x'])).rejects.toMatchObject(invalid)
})

test.each(['tts/', 'tts', 'tts/say/x', 'nothing/say', 'toString', '__proto__', '/say'])(
  'a method %s does not exist, and the error lists those that do',
  async (method) => {
    for (const params of [{}, { session_id: 'x' }, []]) {
      const { ask, calls } = server()
      await expect(ask(method, params)).rejects.toMatchObject({
        codeName: 'METHOD_NOT_FOUND',
        message: expect.stringMatching(/plugin\/call.*tts\/….*stt\/…/),
      })
      expect(calls).toEqual([])
    }
  },
)

test('an unknown method is one also where the plugins can’t be listed', async () => {
  const { ask } = server({ list: () => Promise.reject(new Error('no folder')) })
  await expect(ask('nothing/say')).rejects.toMatchObject({ codeName: 'METHOD_NOT_FOUND' })
})

test('parameters that are wrong are named, the first ten of them', async () => {
  const { ask } = server()
  const error = await ask('plugin/load', { name: 5, config: 'x', more: 1 }).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ ...invalid, data: { issues: expect.any(Array) } })
  const paths = ((error as PluginError).data as { issues: { path: string }[] }).issues.map(({ path }) => path)
  expect(paths).toEqual(expect.arrayContaining(['name', 'config']))
  await expect(ask('ping', [])).rejects.toMatchObject(invalid)
})

test('it answers for the host', async () => {
  const { ask, calls } = server()
  expect(await ask('ping')).toBe('pong')
  expect(await ask('status')).toMatchObject({ version: '1' })
  expect(await ask('system/status')).toEqual(await ask('status'))
  expect(await ask('system/discover', { paths: ['/a'] })).toMatchObject({
    ...{ pluginsFound: 1, plugins: [{ name: 'one', path: '/one' }] },
  })
  expect(await ask('plugin/health', { name: 'one' })).toMatchObject({ status: 'BUSY' })
  expect(await ask('plugin/health')).toMatchObject({ one: { status: 'READY', latency_ms: null } })
  expect(calls).toEqual([
    ['discover', ['/a']],
    ['health', 'one'],
    ['health', undefined],
  ])
})

test('plugins are listed without those that can’t be used, unless they are asked for', async () => {
  const asked: unknown[] = []
  const list = async (options: unknown) => {
    asked.push(options)
    return [{ name: 'one', displayName: 'One' }]
  }
  const { ask } = server({ list })
  expect(await ask('plugin/list')).toEqual([{ name: 'one', display_name: 'One' }])
  await ask('plugin/list', { include_invalid: true })
  expect(asked).toEqual([{ includeInvalid: false }, { includeInvalid: true }])
})

test('a load can be cancelled, an unload lets calls finish unless it is told otherwise', async () => {
  const { ask, calls } = server()
  expect(await ask('plugin/load', { name: 'one', config: { a: 1 } })).toEqual({
    ...{ success: true, plugin: { name: 'one', display_name: 'ONE' } },
  })
  expect(calls[0]).toEqual(['load', 'one', { config: { a: 1 }, signal: expect.any(AbortSignal) }])
  expect(await ask('plugin/unload', { name: 'one' })).toEqual({ success: true, plugin: 'one' })
  await ask('plugin/unload', { name: 'one', force: true })
  expect(calls.slice(1)).toEqual([
    ['unload', 'one', { force: false }],
    ['unload', 'one', { force: true }],
  ])
})

test('a swap has one old and one new plugin, by any of their names', async () => {
  const { ask, calls } = server()
  expect(await ask('plugin/swap', { old: 'one', new: 'two' })).toMatchObject({ success: true })
  await ask('plugin/swap', { old_plugin: 'one', new_plugin: 'two', preserve_state: false })
  await ask('plugin/swap', { old: 'one', new_plugin_path: '/plugins/two', config: { a: 1 } })
  expect(calls).toEqual([
    ['swap', 'one', 'two', {}],
    ['swap', 'one', 'two', { preserveState: false }],
    ['swap', 'one', '/plugins/two', { config: { a: 1 } }],
  ])
  for (const params of [{ old: 'one' }, { new: 'two' }, { old: 'one', new: 'two', new_plugin: 'three' }])
    await expect(ask('plugin/swap', params)).rejects.toMatchObject(invalid)
  expect(calls).toHaveLength(3)
})

test('a host has no nodes', async () => {
  const { ask, calls } = server()
  const on = ['one']
  for (const [method, params] of Object.entries({
    'plugin/load': { name: 'one' },
    'plugin/unload': { name: 'one' },
    'plugin/scale': { name: 'one', replicas: 2 },
    'plugin/swap': { old: 'one', new: 'two' },
  }))
    await expect(ask(method, { ...params, on })).rejects.toMatchObject(invalid)
  expect(calls).toEqual([])
})

test('no client grants a plugin a variable of the environment', async () => {
  const { ask, calls } = server()
  const config = { $env: ['HOME'] }
  await expect(ask('plugin/load', { name: 'one', config })).rejects.toMatchObject(invalid)
  await expect(ask('plugin/swap', { old: 'one', new: 'two', config })).rejects.toMatchObject(invalid)
  expect(calls).toEqual([])
})

test('a client subscribes to what it names, and ends the host within its own time', async () => {
  const { ask, subscribed, shutDowns } = server()
  expect(await ask('events/subscribe')).toBe(true)
  await ask('events/subscribe', { types: ['log'] })
  await expect(ask('events/subscribe', { types: ['nonsense'] })).rejects.toMatchObject(invalid)
  expect(subscribed).toEqual([undefined, ['log']])
  expect(await ask('shutdown')).toMatchObject({ status: 'shutting_down', reason: 'requested' })
  expect(await ask('shutdown', { reason: 'enough', timeout: 0 })).toMatchObject({ reason: 'enough' })
  await expect(ask('shutdown', { timeout: -1 })).rejects.toMatchObject(invalid)
  expect(shutDowns).toEqual([10_000, 0])
})
