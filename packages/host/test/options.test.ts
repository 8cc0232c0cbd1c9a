import { setTimeout as delay } from 'node:timers/promises'
import { TTSContract } from '@appfactory/sdk'
import { describe, expect, test } from 'vitest'
import { type CallOptions, type HostOptions, PluginHost } from '../src/index.js'
import { defaultInstanceLimits, defaultRestartPolicy, defaultSlotLimits } from '../src/options.js'
import { runCommand } from './fixtures/command.js'
import { temporaryFolder, ttsPlugin, writePlugin } from './fixtures/plugins.js'
import { counter, llm } from './fixtures/swapping.js'

const hostOptions = [...Object.keys(defaultInstanceLimits), 'maxHeapMb', ...Object.keys(defaultSlotLimits)]
const restartOptions = Object.keys(defaultRestartPolicy)
/** Sizes: another end is told of them. */
const needNumber = ['maxMessageBytes', 'maxStateBytes', 'maxHeapMb']
const neverNumbers: unknown[] = [Number.NaN, null, 0, -1, Number.NEGATIVE_INFINITY, '5', true, [], {}, 5n]

function create(options: object): PluginHost {
  return new PluginHost({ pluginsDir: temporaryFolder(), ...options })
}

describe('a number that means nothing is refused by the host’s constructor, which names the option and the value', () => {
  test.each(hostOptions)('%s', (name) => {
    for (const value of neverNumbers) {
      expect(() => create({ [name]: value }), String(value)).toThrow(TypeError)
      expect(() => create({ [name]: value })).toThrow(new RegExp(`^${name} takes `))
    }
    expect(() => create({ [name]: -1 })).toThrow(/not -1$/)
    create({ [name]: undefined })
    create({ [name]: 2 ** 40 })
  })

  test.each(restartOptions)('restart.%s', (name) => {
    for (const value of neverNumbers) expect(() => create({ restart: { [name]: value } })).toThrow(TypeError)
    expect(() => create({ restart: { [name]: -1 } })).toThrow(
      new RegExp(`^restart\\.${name} takes .* not -1$`),
    )
    create({ restart: { [name]: undefined } })
    create({ restart: { [name]: Number.POSITIVE_INFINITY } })
  })

  test.each(needNumber)('%s is a size: it has no Infinity, and no halves', (name) => {
    expect(() => create({ [name]: Number.POSITIVE_INFINITY })).toThrow(TypeError)
    expect(() => create({ [name]: 1.5 })).toThrow(TypeError)
  })
})

/** A host where every number that may be Infinity is. */
function endless(root: string, more: HostOptions = {}): PluginHost {
  const limits = hostOptions
    .filter((name) => !needNumber.includes(name))
    .map((name) => [name, Number.POSITIVE_INFINITY])
  return new PluginHost({ pluginsDir: root, ...Object.fromEntries(limits), ...more })
}

/** Tells how often its health was asked for; counts for as long as it is told to. */
const busy = counter(
  'busy',
  `checks = 0
  async healthCheck() { this.checks += 1; return { status: 'READY', message: String(this.checks) } }
  async chat(messages) {
    const until = Date.now() + 600
    while (Date.now() < until);
    return { role: 'assistant', content: 'done' }
  }`,
)

test.each<[string, unknown[]]>([
  ['pluginsDir', [5, null, ['a', 5], new URL('file:///a')]],
  ['configDir', [5, null]],
  ['logDir', [5, {}]],
  ['logLevel', ['loud', 5]],
  ['preferSource', ['yes', 1]],
  ['restart', [5, null, 'often']],
])('what is no %s is refused by the host’s constructor, which names it', (name, values) => {
  for (const value of values)
    expect(() => create({ [name]: value })).toThrow(new RegExp(`^${name} takes .*, not `))
  create({ [name]: undefined })
})

test.each([null, 5, 'plugins'])('%o in place of the options of a host is refused', (options) => {
  expect(() => Reflect.construct(PluginHost, [options])).toThrow(/^PluginHost takes options as an object/)
})

test.each([
  [{ pluginDir: './plugins' }, 'PluginHost has no option "pluginDir". Did you mean pluginsDir?'],
  [{ verbose: true }, 'PluginHost has no option "verbose". Its options are pluginsDir, configDir, '],
])('an option of the host that there is not is left out: %j', (options, words) => {
  expect(() => Reflect.construct(PluginHost, [options])).toThrow(words)
})

test('a signal of a call that is none is told as that', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', ttsPlugin())
  await using host = new PluginHost({ pluginsDir: root })
  await host.load('speaker')
  for (const signal of ['x', {}, null]) {
    const call = Reflect.apply(host.call, host, ['speaker', 'get_voices', {}, { signal }]) as Promise<unknown>
    await expect(call).rejects.toThrow(/^signal takes an AbortSignal, not/)
  }
  expect(await host.call('speaker', 'get_voices')).toHaveLength(1)
})

describe('Infinity is never, not at once', () => {
  test.each([
    ['Infinity', Number.POSITIVE_INFINITY],
    ['30 days', 30 * 24 * 60 * 60 * 1000],
    ['a year', 365 * 24 * 60 * 60 * 1000],
  ])('%s between health checks, and for an event loop that stands still', async (_, ms) => {
    const root = temporaryFolder()
    writePlugin(root, 'busy', busy, llm)
    await using host = endless(root, { healthIntervalMs: ms, unresponsiveTimeoutMs: ms })
    const crashes: string[] = []
    host.on('crash', ({ message }) => crashes.push(message))
    await host.load('busy')
    await host.call('busy', 'chat', { messages: [{ role: 'user', content: 'x' }] })
    await delay(200)
    expect(crashes).toEqual([])
    expect((await host.health('busy')).message).toBe('1')
  })

  test('for a call, a stream and a start', async () => {
    const root = temporaryFolder()
    writePlugin(root, 'busy', busy, llm)
    await using host = endless(root)
    await host.load('busy')
    const options = { timeoutMs: Number.POSITIVE_INFINITY, retry: 0 }
    expect(await host.call('busy', 'complete', { prompt: 'wait 50' }, options)).toMatchObject({
      text: /busy 1/,
    })
    const pieces: unknown[] = []
    for await (const piece of host.stream('busy', 'stream_complete', { prompt: 'x' }, options))
      pieces.push(piece)
    expect(pieces).toHaveLength(20)
  })

  test('for a plugin in quarantine: it is not tried again, and can be swapped for itself', async () => {
    const root = temporaryFolder()
    writePlugin(root, 'busy', busy, llm)
    const restart = { maxCrashes: 1, retryQuarantinedMs: Number.POSITIVE_INFINITY }
    await using host = endless(root, { restart })
    let restarts = 0
    host.on('restart', () => {
      restarts += 1
    })
    await host.load('busy')
    await host.call('busy', 'complete', { prompt: 'exit' }).catch(() => {})
    await delay(300)
    await expect(host.call('busy', 'complete', { prompt: 'x' })).rejects.toMatchObject({
      codeName: 'PLUGIN_QUARANTINED',
      message: expect.not.stringContaining('Infinity'),
    })
    expect(restarts).toBe(0)
    await host.swap('busy', 'busy')
    await host.call('busy', 'complete', { prompt: 'x' })
  })
})

describe('an option of a call that means nothing is a TypeError that names it', () => {
  const wrong: [keyof CallOptions, unknown[]][] = [
    ['timeoutMs', [Number.NaN, null, 0, -1, '5', {}]],
    ['retry', [Number.NaN, null, -1, 0.5, '5', {}]],
    ['credit', [Number.NaN, null, 0, -1, 0.5, Number.POSITIVE_INFINITY, '5', {}]],
  ]

  test.each(wrong)('%s', async (name, values) => {
    const root = temporaryFolder()
    writePlugin(root, 'counter', counter('counter'), llm)
    await using host = new PluginHost({
      pluginsDir: root,
      drainTimeoutMs: Number.POSITIVE_INFINITY,
      maxStreams: 2,
    })
    const handle = await host.load('counter')
    for (const value of values) {
      const options = { [name]: value } as CallOptions
      const says = new RegExp(`^${name} takes `)
      const called: unknown = await host
        .call('counter', 'complete', { prompt: 'x' }, options)
        .catch((e: unknown) => e)
      expect(called, String(value)).toBeInstanceOf(TypeError)
      expect(String(Reflect.get(Object(called), 'message'))).toMatch(says)
      const streamed = host.stream('counter', 'stream_complete', { prompt: 'x' }, options).next()
      await expect(streamed, String(value)).rejects.toThrow(TypeError)
    }
    // None of them counts as a call or a stream for ever.
    expect((await host.health('counter')).details).toMatchObject({ open_streams: 0, calls_in_flight: 0 })
    for await (const _ of host.stream('counter', 'stream_complete', { prompt: 'x' }, { credit: 1 }));
    await host.call('counter', 'complete', { prompt: 'x' }, { timeoutMs: 10_000 })
    await handle.unload()
  })
})

test('streams that could not be begun do not count: others go on, and unloading waits for none', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'counter', counter('counter'), llm)
  await using host = new PluginHost({
    pluginsDir: root,
    maxStreams: 2,
    drainTimeoutMs: Number.POSITIVE_INFINITY,
  })
  await host.load('counter')
  const refused: object[] = [
    { credit: 0 },
    { signal: 5 },
    { signal: {} },
    { signal: AbortSignal.abort() },
    { timeoutMs: -1 },
  ]
  for (const options of refused) {
    for (let n = 0; n < 3; n++)
      await expect(
        host.stream('counter', 'stream_complete', { prompt: 'x' }, options).next(),
      ).rejects.toThrow()
    await expect(host.stream('counter', 'stream_complete', { prompt: 5n }).next()).rejects.toThrow()
  }
  expect((await host.health('counter')).details).toMatchObject({ open_streams: 0 })
  for await (const _ of host.stream('counter', 'stream_complete', { prompt: 'x' }));
  await host.unload('counter')
})

describe('a flag of the command line that takes a number takes no other', () => {
  test.each([
    ['call', ['call', 'speaker', 'get_voices', '--timeout', 'soon']],
    ['call', ['call', 'speaker', 'get_voices', '--timeout', '0']],
    ['call', ['call', 'speaker', 'get_voices', '--timeout=-5']],
    ['test', ['test', 'plugins/speaker', '--timeout', 'soon']],
    // tester/command.test.ts has others.
    ['tester', ['tester', '--port=1.5']],
    ['dev', ['dev', 'plugins', '--tester', '--port=-1']],
  ])('%s: %j', async (_, args) => {
    const folder = temporaryFolder()
    writePlugin(`${folder}/plugins`, 'speaker', ttsPlugin())
    const { status, stderr } = await runCommand(folder, ...args)
    expect(stderr).toMatch(/--(timeout|port)/)
    expect(status).toBe(2)
  })

  test('and Infinity is never', async () => {
    const folder = temporaryFolder()
    writePlugin(`${folder}/plugins`, 'speaker', ttsPlugin())
    const { status } = await runCommand(folder, 'call', 'speaker', 'get_voices', '--timeout', 'Infinity')
    expect(status).toBe(0)
  })
})

test.each<[keyof PluginHost, unknown[], string]>([
  ['load', ['a', { voice: 'rms' }], 'load() has no option "voice". Its options are config, env, signal'],
  ['load', ['a', 'rms'], 'load() takes options as an object, not the string "rms"'],
  ['load', [TTSContract, 'a', { voice: 'rms' }], 'load() has no option "voice"'],
  ['swap', ['a', 'b', { keepState: true }], 'swap() has no option "keepState"'],
  [
    'call',
    ['a', 'b', {}, { timeout: 5 }],
    'call() has no option "timeout". Its options are timeoutMs, signal',
  ],
  ['call', ['a', 'b', {}, null], 'call() takes options as an object, not null'],
  ['list', [{ invalid: true }], 'list() has no option "invalid". Its options are includeInvalid'],
  ['describe', ['a', { timeoutMs: 5 }], 'describe() has no option "timeoutMs". Its options are signal'],
  ['unload', ['a', { now: true }], 'unload() has no option "now". Its options are force'],
  ['close', [{ now: true }], 'close() has no option "now". Its options are force'],
  ['discover', ['plugins'], 'discover() takes an array of paths, not the string "plugins"'],
])('%s() refuses %j', async (method, args, message) => {
  await using host = new PluginHost({ pluginsDir: temporaryFolder() })
  const error: unknown = await Reflect.apply(host[method] as () => Promise<unknown>, host, args).catch(
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(TypeError)
  expect((error as Error).message).toContain(message)
  if (method !== 'call') return
  const stream = Reflect.apply(host.stream, host, args)
  await expect(stream.next()).rejects.toThrow(message.replace('call()', 'stream()'))
})
