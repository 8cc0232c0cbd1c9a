import { readFileSync } from 'node:fs'
import { hostVersion } from '@appfactory/host'
import { ErrorCodes } from '@appfactory/sdk'
import { describe, expect, it } from 'vitest'
import { isAlive, type LinesProcess } from '../../../sdk/test/lines-process.js'
import { logged, patientMembers, pidOf, sharedHost, startHost, ttsPlugin } from './client.js'

const wav = { format: 'wav', sample_rate: 8000, channels: 1, audio_b64: expect.any(String) }
const speak = (plugin: string, text: string) => ({ plugin, method: 'synthesize', args: { text } })

describe('methods', () => {
  it('ping, status and discovery', async () => {
    const host = startHost({ ...ttsPlugin('a'), 'broken/manifest.json': '{' })
    expect(await host.result('ping')).toBe('pong')
    const figures = {
      version: hostVersion,
      uptime_seconds: expect.any(Number),
      plugins_loaded: 0,
      requests_processed: expect.any(Number),
      errors: expect.any(Number),
      memory_mb: expect.any(Number),
    }
    expect(await host.result('status')).toMatchObject(figures)
    expect(await host.result('system/status')).toMatchObject(figures)
    expect(await host.result('system/discover')).toMatchObject({
      discovered: 2,
      valid: 1,
      invalid: 1,
      plugins: [
        { name: 'a', valid: true, errors: [], manifest: { name: 'a', runtime: 'node' } },
        { name: 'broken', valid: false, errors: [expect.stringContaining('manifest.json')], manifest: null },
      ],
    })
    expect(await host.result('system/status')).toMatchObject({ plugins_total: 1 })
    const elsewhere = await host.ask('system/discover', { paths: ['nowhere'] })
    expect(elsewhere.error?.code).toBe(ErrorCodes.DISCOVERY_FAILED)
  })

  it('load, list, call, health, unload', async () => {
    const host = startHost({
      ...ttsPlugin('a', '', { display_name: 'Speaker', author: 'Ada', capabilities: ['fast'] }),
      'broken/manifest.json': '{',
    })
    const summary = {
      name: 'a',
      version: '1.0.0',
      contract: 'tts',
      display_name: 'Speaker',
      description: null,
      author: 'Ada',
      path: `${host.dir}/plugins/a`,
      valid: true,
      errors: [],
    }
    expect(await host.result('plugin/list')).toEqual([
      { ...summary, loaded: false, status: 'UNLOADED', capabilities: ['fast'] },
    ])
    expect(await host.result('plugin/health', { name: 'a' })).toMatchObject({ status: 'UNLOADED' })
    expect(await host.result('plugin/load', { name: 'a', config: { voice: 'x' } })).toEqual({
      success: true,
      plugin: {
        ...summary,
        loaded: true,
        status: 'READY',
        capabilities: ['synthesize', 'get_voices', 'fast'],
      },
    })
    expect(await host.result('plugin/list', { include_invalid: true })).toMatchObject([
      { name: 'a', loaded: true },
      { name: 'broken', valid: false, loaded: false, version: null },
    ])
    expect(await host.result('plugin/call', speak('a', 'Hello'))).toMatchObject(wav)
    expect(await host.result('plugin/health')).toMatchObject({
      a: { status: 'READY', details: { noise: 0 } },
    })
    const pid = await pidOf(host, 'a')
    expect(await host.result('plugin/unload', { name: 'a' })).toEqual({ success: true, plugin: 'a' })
    expect(isAlive(pid)).toBe(false)
    expect(await host.result('plugin/health')).toEqual({})
  })

  it('plugin/describe tells each method and its schemas, loaded or not', async () => {
    const host = startHost(ttsPlugin('a'))
    const before = await host.result<{ methods: { name: string }[] }>('plugin/describe', { name: 'a' })
    expect(before).toMatchObject({ manifest: { name: 'a' }, contract: { name: 'tts', version: '1.0.0' } })
    expect(before.methods.map(({ name }) => name)).toEqual([
      'synthesize',
      'get_voices',
      'get_voice_info',
      'synthesize_stream',
    ])
    expect(before.methods[0]).toMatchObject({ args: { required: ['text'] }, result: { type: 'object' } })
    expect(await host.result('plugin/list')).toMatchObject([{ loaded: false }])
    await host.result('plugin/load', { name: 'a' })
    expect(await host.result('plugin/describe', { name: 'a' })).toEqual(before)
  })

  const shared = sharedHost(
    { ...ttsPlugin('a'), ...ttsPlugin('loaded'), 'broken/manifest.json': '{', 'empty/README.md': '' },
    ['loaded'],
  )
  it.each([
    ['plugin/load', { name: 'nope' }, 'PLUGIN_NOT_FOUND'],
    ['plugin/load', { name: '../a' }, 'PLUGIN_NOT_FOUND'],
    ['plugin/load', { name: 'empty' }, 'MANIFEST_MISSING'],
    ['plugin/load', { name: 'broken' }, 'MANIFEST_INVALID'],
    ['plugin/load', { name: 'loaded' }, 'PLUGIN_ALREADY_LOADED'],
    ['plugin/unload', { name: 'nope' }, 'PLUGIN_NOT_FOUND'],
    ['plugin/unload', { name: 'a' }, 'PLUGIN_NOT_READY'],
    ['plugin/describe', { name: 'nope' }, 'PLUGIN_NOT_FOUND'],
    ['plugin/health', { name: 'nope' }, 'PLUGIN_NOT_FOUND'],
    ['plugin/call', speak('nope', 'x'), 'PLUGIN_NOT_FOUND'],
    ['plugin/call', speak('a', 'x'), 'PLUGIN_NOT_READY'],
    ['plugin/call', { plugin: 'loaded', method: 'dance' }, 'METHOD_NOT_FOUND'],
    ['plugin/call', { plugin: 'loaded', method: 'synthesize', args: { text: 5 } }, 'INVALID_PARAMS'],
    ['plugin/call', { ...speak('loaded', 'x'), stream: true }, 'INVALID_PARAMS'],
  ] as const)('%s %j is %s, naming the plugin', async (method, params, code) => {
    const { error } = await shared().ask(method, params)
    expect(error?.code).toBe(ErrorCodes[code])
    if (!('method' in params) || code !== 'INVALID_PARAMS')
      expect(error?.message).toContain('name' in params ? params.name : params.plugin)
  })

  it('<contract>/<method> goes to the plugin of the contract that was loaded last', async () => {
    const host = startHost({ ...ttsPlugin('a'), ...ttsPlugin('b') })
    expect((await host.ask('tts/get_voices')).error?.code).toBe(ErrorCodes.CONTRACT_NOT_FOUND)
    await host.result('plugin/load', { name: 'a' })
    expect(await host.result('tts/get_voices')).toMatchObject([{ id: 'a' }])
    await host.result('plugin/load', { name: 'b' })
    expect(await host.result('tts/get_voices')).toMatchObject([{ id: 'b' }])
    await host.result('plugin/unload', { name: 'b' })
    expect(await host.result('tts/synthesize', { text: 'x' })).toMatchObject(wav)
    expect((await host.ask('tts/synthesize', {})).error?.code).toBe(ErrorCodes.INVALID_PARAMS)
    expect((await host.ask('tts/dance')).error?.code).toBe(ErrorCodes.METHOD_NOT_FOUND)
    expect((await host.ask('vision/look')).error?.code).toBe(ErrorCodes.METHOD_NOT_FOUND)
  })

  it('events/subscribe tells of a plugin’s life', async () => {
    const host = startHost(ttsPlugin('a', 'synthesize() { process.exit(7) }'))
    expect(await host.result('events/subscribe', { types: ['status', 'crash', 'restart'] })).toBe(true)
    await host.result('plugin/load', { name: 'a' })
    await host.notification(
      'event',
      ({ type, plugin, status }) => type === 'status' && plugin === 'a' && status === 'READY',
    )
    expect((await host.ask('plugin/call', speak('a', 'x'))).error?.code).toBe(ErrorCodes.PLUGIN_CRASHED)
    await host.notification('event', ({ type, plugin }) => type === 'crash' && plugin === 'a')
    const { params } = await host.notification('event', ({ type }) => type === 'restart')
    expect(params).toMatchObject({ plugin: 'a', attempt: 1, delay_ms: expect.any(Number) })
    expect((await host.ask('events/subscribe', { types: ['weather'] })).error?.code).toBe(
      ErrorCodes.INVALID_PARAMS,
    )
  })
})

describe('plugin/swap', () => {
  const stateful = (label: string, members = '') => `
    getVoices() { this.calls = (this.calls ?? 0) + 1; return [{ id: '${label}', name: String(this.calls), language: 'en' }] }
    captureState() { return { calls: this.calls } }
    restoreState(state) { this.calls = state.calls }
    ${members}`
  const voicesOf = (plugin: string) => ({ plugin, method: 'get_voices' })

  it('changes the plugin while calls go on; its steps are events', async () => {
    const host = startHost({
      ...ttsPlugin('a', stateful('a')),
      ...ttsPlugin('b', stateful('b'), { version: '2.0.0' }),
    })
    await host.result('events/subscribe', { types: ['swap'] })
    await host.result('plugin/load', { name: 'a' })
    await host.result('plugin/call', voicesOf('a'))
    expect(await host.result('plugin/swap', { old: 'a', new: 'b' })).toEqual({
      success: true,
      old_plugin: 'a',
      new_plugin: 'b',
      old_version: '1.0.0',
      new_version: '2.0.0',
      state_preserved: true,
      rollback_performed: false,
      swap_duration_ms: expect.any(Number),
      held_calls: 0,
      errors: [],
    })
    const { params } = await host.notification('event', ({ step }) => step === 'restore')
    expect(params).toMatchObject({
      type: 'swap',
      plugin: 'a',
      replacement: 'b',
      duration_ms: expect.any(Number),
    })
    const voice = [{ id: 'b', name: '2' }]
    expect(await host.result('plugin/call', voicesOf('a'))).toMatchObject(voice)
    expect(await host.result('tts/get_voices')).toMatchObject([{ id: 'b', name: '3' }])
    // Back again, by the other names of the parameters, by path, and without the state.
    const back = { old_plugin: 'b', new_plugin_path: 'plugins/a', preserve_state: false, config: { x: 1 } }
    expect(await host.result('plugin/swap', back)).toMatchObject({ new_plugin: 'a', state_preserved: false })
    expect(await host.result('plugin/call', voicesOf('a'))).toMatchObject([{ id: 'a', name: '1' }])
    expect(await host.result('plugin/list')).toMatchObject([
      { name: 'a', loaded: true },
      { name: 'b', loaded: false, status: 'UNLOADED' },
    ])
  })

  it('says which step failed, and the old plugin serves', async () => {
    const host = startHost({
      ...ttsPlugin('a', stateful('a')),
      ...ttsPlugin('b', stateful('b', 'restoreState() { throw new Error("not mine") }')),
    })
    await host.result('plugin/load', { name: 'a' })
    const { error } = await host.ask('plugin/swap', { old: 'a', new_plugin: 'b' })
    expect(error).toMatchObject({
      code: ErrorCodes.HOTSWAP_FAILED,
      message: expect.stringContaining('not mine'),
      data: { step: 'restore', old_plugin: 'a', new_plugin: 'b', rollback_performed: false },
    })
    expect(await host.result('plugin/call', voicesOf('a'))).toMatchObject([{ id: 'a', name: '1' }])
  })

  const shared = sharedHost({ ...ttsPlugin('a'), ...ttsPlugin('b') }, ['a'])
  it.each([
    [{ new: 'b' }, 'INVALID_PARAMS'],
    [{ old: 'a' }, 'INVALID_PARAMS'],
    [{ old: 'a', old_plugin: 'a', new: 'b' }, 'INVALID_PARAMS'],
    [{ old: 'a', new: 'b', new_plugin_path: 'plugins/b' }, 'INVALID_PARAMS'],
    [{ old: 'a', new: 5 }, 'INVALID_PARAMS'],
    [{ old: 'a', new: 'b', preserve_state: 'yes' }, 'INVALID_PARAMS'],
    [{ old: 'a', new: 'b', config: { $env: ['HOME'] } }, 'INVALID_PARAMS'],
    [{ old: 'a', new: 'nope' }, 'PLUGIN_NOT_FOUND'],
    [{ old: 'a', new_plugin_path: '/etc' }, 'PLUGIN_NOT_FOUND'],
    [{ old: 'a', new: '' }, 'PLUGIN_NOT_FOUND'],
    [{ old: 'nope', new: 'b' }, 'PLUGIN_NOT_FOUND'],
    [{ old: 'b', new: 'a' }, 'PLUGIN_NOT_READY'],
  ] as const)('%j is %s', async (params, code) => {
    expect((await shared().ask('plugin/swap', params)).error?.code).toBe(ErrorCodes[code])
    expect(await shared().result('tts/get_voices')).toMatchObject([{ id: 'a' }])
  })
})

it('plugin/call with retry calls a method again after a crash; plugin/load grants no variables', async () => {
  const host = startHost(
    ttsPlugin(
      'a',
      `async getVoices() { const { existsSync, writeFileSync } = await import('node:fs');
         if (!existsSync('crashed')) { writeFileSync('crashed', ''); process.exit(1) } return [] }`,
    ),
  )
  await host.result('plugin/load', { name: 'a' })
  expect(await host.result('plugin/call', { plugin: 'a', method: 'get_voices', retry: 3 })).toEqual([])
  const load = await host.ask('plugin/load', { name: 'a', config: { $env: ['HOME'] } })
  expect(load.error?.code).toBe(ErrorCodes.INVALID_PARAMS)
})

describe('order', () => {
  it('--sync-mode does requests one after another and answers in order', async () => {
    const host = startHost(ttsPlugin('a'), ['--sync-mode'])
    host.request('plugin/load', { name: 'a' })
    host.request('plugin/call', speak('a', 'x'))
    host.request('ping')
    host.request('plugin/unload', { name: 'a' })
    host.request('plugin/call', speak('a', 'x'))
    host.write('not JSON\n')
    host.request('ping')
    expect(await host.finish()).toEqual({ code: 0, signal: null })
    expect(host.received).toMatchObject([
      { id: 1, result: { success: true } },
      { id: 2, result: wav },
      { id: 3, result: 'pong' },
      { id: 4, result: { success: true } },
      { id: 5, error: { code: ErrorCodes.PLUGIN_NOT_READY } },
      { id: null, error: { code: ErrorCodes.PARSE_ERROR } },
      { id: 6, result: 'pong' },
    ])
  })

  it('without it, requests run concurrently', async () => {
    const host = startHost(ttsPlugin('a', patientMembers))
    await host.result('events/subscribe', { types: ['log'] })
    await host.result('plugin/load', { name: 'a' })
    const waiting = [
      host.request('plugin/call', speak('a', 'one')),
      host.request('plugin/call', speak('a', 'two')),
    ]
    await logged(host, 'begun one')
    await logged(host, 'begun two')
    expect(await host.result('ping')).toBe('pong')
    await host.result('plugin/call', speak('a', 'release'))
    for (const id of waiting) expect(await host.reply(id)).toMatchObject({ result: wav })
  })

  it('a call to a plugin that is still loading waits for it', async () => {
    const host = startHost(ttsPlugin('a'))
    const load = host.request('plugin/load', { name: 'a' })
    const calls = [host.request('plugin/call', speak('a', 'x')), host.request('tts/get_voices')]
    for (const id of calls) expect((await host.reply(id)).error).toBeUndefined()
    expect(await host.reply(load)).toMatchObject({ result: { success: true } })
  })

  it('a call to a plugin that fails to load fails as its load does', async () => {
    const host = startHost(ttsPlugin('a', "initialize() { throw new Error('no model') }"))
    const load = host.request('plugin/load', { name: 'a' })
    const call = host.request('plugin/call', speak('a', 'x'))
    for (const id of [load, call])
      expect((await host.reply(id)).error?.code).toBe(ErrorCodes.PLUGIN_INITIALIZE_FAILED)
    expect((await host.ask('plugin/call', speak('a', 'x'))).error?.code).toBe(ErrorCodes.PLUGIN_NOT_READY)
  })
})

describe('streaming', () => {
  const shared = sharedHost({ ...ttsPlugin('plain'), ...ttsPlugin('a', patientMembers) }, ['plain', 'a'])

  async function streamingHost() {
    const host = startHost(ttsPlugin('a', patientMembers))
    await host.result('events/subscribe', { types: ['log'] })
    await host.result('plugin/load', { name: 'a' })
    return host
  }

  const call = (text: string, stream: unknown) => ({
    plugin: 'a',
    method: 'synthesize_stream',
    args: { text },
    ...(stream === undefined ? {} : { stream }),
  })

  const piecesOf = (host: LinesProcess, id: number) =>
    host.received.flat().filter((message) => message.method === '$/stream' && message.params?.['id'] === id)

  it('brings pieces in order, then the response', async () => {
    const host = await streamingHost()
    const id = host.request('plugin/call', call('40', true))
    expect(await host.reply(id)).toMatchObject({ result: { pieces: 40 } })
    expect(piecesOf(host, id).map(({ params }) => params?.['seq'])).toEqual(
      Array.from({ length: 40 }, (_, seq) => seq),
    )
    expect(piecesOf(host, id)[7]?.params).toMatchObject({ value: { ...wav, text: '7' } })
    // What the plugin logs comes when it comes.
    const ofTheCall = host.received.filter((message) => !('method' in message && message.method === 'event'))
    expect(ofTheCall.at(-1)).toMatchObject({ id })
  })

  it('works through <contract>/<method> too', async () => {
    const host = shared()
    const id = host.request('tts/synthesize_stream', { text: '3', stream: true })
    expect(await host.reply(id)).toMatchObject({ result: { pieces: 3 } })
    expect(piecesOf(host, id)).toHaveLength(3)
  })

  it('takes an argument that the client sends piece by piece', async () => {
    const host = shared()
    const args = { text: { $input: true } }
    const id = host.request('plugin/call', {
      plugin: 'plain',
      method: 'synthesize_stream',
      args,
      stream: true,
    })
    for (const [seq, value] of ['One. Tw', 'o.'].entries()) host.notify('$/input', { id, seq, value })
    host.notify('$/input', { id, seq: 2, done: true })
    expect(await host.reply(id)).toMatchObject({ result: { pieces: 2 } })
  })

  it('without stream answers once, with the aggregate', async () => {
    const host = shared()
    for (const stream of [undefined, false]) {
      const id = host.request('plugin/call', call('3', stream))
      expect(await host.reply(id)).toMatchObject({ result: { ...wav, duration_ms: 3 } })
      expect(piecesOf(host, id)).toEqual([])
    }
  })

  it('sends no more pieces than it has credit for', async () => {
    const host = await streamingHost()
    const id = host.request('plugin/call', call('endless', { credit: 2 }))
    const piece = (seq: number) =>
      host.notification('$/stream', (params) => params['id'] === id && params['seq'] === seq)
    await piece(1)
    await host.result('plugin/health', { name: 'a' })
    expect(piecesOf(host, id)).toHaveLength(2)
    host.notify('$/credit', { id, n: 3 })
    await piece(4)
    for (const n of [0, -1, 'many', null]) host.notify('$/credit', { id, n })
    host.notify('$/credit', { id: 'other', n: 9 })
    await host.result('plugin/health', { name: 'a' })
    expect(piecesOf(host, id)).toHaveLength(5)
    host.notify('$/cancelRequest', { id })
    expect((await host.reply(id)).error?.code).toBe(ErrorCodes.REQUEST_CANCELLED)
    await logged(host, 'generator closed')
  })

  it('a credit that is none is INVALID_PARAMS', async () => {
    const host = shared()
    for (const stream of [{ credit: 0 }, { credit: 1.5 }, {}, 5, 'yes']) {
      expect((await host.ask('plugin/call', call('1', stream))).error?.code).toBe(ErrorCodes.INVALID_PARAMS)
      expect((await host.ask('tts/synthesize_stream', { text: '1', stream })).error?.code).toBe(
        ErrorCodes.INVALID_PARAMS,
      )
    }
  })

  it('the client goes away mid-stream: the plugin’s generator is closed, nothing is left', async () => {
    const host = await streamingHost()
    const pid = await pidOf(host, 'a')
    host.request('plugin/call', call('endless', { credit: 1 }))
    await host.notification('$/stream')
    expect((await host.finish()).code).toBe(0)
    expect(isAlive(pid)).toBe(false)
    expect(JSON.stringify(host.received)).toContain('generator closed')
  })
})

describe('a stream whose client', () => {
  /** Appends to a file what it has made, and that it was closed. */
  const telling = `
    async *synthesizeStream(text) {
      const { appendFileSync } = await import('node:fs')
      const tell = (what) => appendFileSync('told', what + '\\n')
      try {
        for (let made = 1; made <= 1000; made++) {
          if (text === 'slowly') await new Promise((resolve) => setTimeout(resolve, 20))
          tell(made)
          yield encodeWav(new Int16Array(8), { sampleRate: 8000 })
        }
      } finally { tell('closed') }
    }
  `

  async function tellingHost(text: string, stream: unknown) {
    const host = startHost(ttsPlugin('a', telling))
    await host.result('plugin/load', { name: 'a' })
    const pid = await pidOf(host, 'a')
    host.request('plugin/call', { plugin: 'a', method: 'synthesize_stream', args: { text }, stream })
    await host.notification('$/stream')
    const told = () => readFileSync(`${host.dir}/plugins/a/told`, 'utf8').trim().split('\n')
    return { host, pid, told }
  }

  it.each([true, { credit: 1000 }])(
    'dies, with stream %j: the generator is closed, and host and plugin leave',
    async (stream) => {
      const { host, pid, told } = await tellingHost('slowly', stream)
      host.child.stdin.destroy()
      host.child.stdout.destroy()
      await host.exited
      await expect.poll(() => isAlive(pid)).toBe(false)
      expect(told().at(-1)).toBe('closed')
    },
  )

  it('gives little credit: the plugin makes little more than was asked for', async () => {
    const { host, told } = await tellingHost('fast', { credit: 1 })
    await host.result('plugin/health', { name: 'a' })
    expect(told().length).toBeLessThanOrEqual(4)
  })

  it('reads bytes, which are large: the plugin makes few pieces ahead', async () => {
    const { host, told } = await tellingHost('fast', { credit: 10 })
    await host.result('plugin/health', { name: 'a' })
    expect(told().length).toBeLessThanOrEqual(10 + 8 + 2)
  })
})

describe('cancelling', () => {
  it('$/cancelRequest is answered once, with REQUEST_CANCELLED, and the plugin’s signal is aborted', async () => {
    const host = startHost(ttsPlugin('a', patientMembers))
    await host.result('events/subscribe', { types: ['log'] })
    await host.result('plugin/load', { name: 'a' })
    const id = host.request('plugin/call', speak('a', 'one'))
    await logged(host, 'begun one')
    host.notify('$/cancelRequest', { id })
    host.notify('$/cancelRequest', { id })
    expect((await host.reply(id)).error?.code).toBe(ErrorCodes.REQUEST_CANCELLED)
    await logged(host, 'aborted one')
    await host.finish()
    expect(host.repliesTo(id)).toHaveLength(1)
  })

  const shared = sharedHost({ ...ttsPlugin('patient', patientMembers), ...ttsPlugin('a') }, ['patient', 'a'])

  it('of a request that has finished, or never was, does nothing', async () => {
    const host = shared()
    const id = host.request('ping')
    await host.reply(id)
    for (const other of [id, 999, 'x', null, {}]) host.notify('$/cancelRequest', { id: other })
    expect(await host.result('ping')).toBe('pong')
    expect(host.repliesTo(id)).toHaveLength(1)
  })

  it('a cancel that races with the result gets exactly one answer', async () => {
    const host = shared()
    const ids = Array.from({ length: 100 }, () => {
      const id = host.request('plugin/call', speak('a', 'x'))
      host.notify('$/cancelRequest', { id })
      return id
    })
    for (const id of ids) {
      const { result, error } = await host.reply(id)
      expect(result ?? error?.code).toBeOneOf([expect.objectContaining(wav), ErrorCodes.REQUEST_CANCELLED])
    }
    // A second answer would come before this one.
    await host.result('plugin/call', speak('a', 'x'))
    for (const id of ids) expect(host.repliesTo(id)).toHaveLength(1)
  })

  it('a timeout is CALL_TIMEOUT, and cancels in the plugin', async () => {
    const host = shared()
    await host.result('events/subscribe', { types: ['log'] })
    const { error } = await host.ask('plugin/call', { ...speak('patient', 'slow'), timeout: 50 })
    expect(error).toMatchObject({ code: ErrorCodes.CALL_TIMEOUT })
    await logged(host, 'aborted slow')
    expect((await host.ask('plugin/call', { ...speak('a', 'x'), timeout: 0 })).error?.code).toBe(
      ErrorCodes.INVALID_PARAMS,
    )
  })
})

describe('the end', () => {
  it('of input lets work in flight finish', async () => {
    const host = startHost(ttsPlugin('a'))
    host.request('plugin/load', { name: 'a' })
    const id = host.request('plugin/call', speak('a', 'x'))
    expect(await host.finish()).toEqual({ code: 0, signal: null })
    expect(host.repliesTo(id)).toMatchObject([{ result: wav }])
  })

  it('of input may come without a line end, or at once', async () => {
    const host = startHost()
    host.write('{"jsonrpc":"2.0","id":1,"method":"ping"}')
    expect((await host.finish()).code).toBe(0)
    expect(host.received).toEqual([{ jsonrpc: '2.0', id: 1, result: 'pong' }])
    expect((await startHost().finish()).code).toBe(0)
  })

  it('comes by shutdown, which is answered, with work in flight finished and no process left', async () => {
    const host = startHost({ ...ttsPlugin('a', patientMembers), ...ttsPlugin('b') })
    await host.result('events/subscribe', { types: ['log'] })
    for (const name of ['a', 'b']) await host.result('plugin/load', { name })
    const pids = [await pidOf(host, 'a'), await pidOf(host, 'b')]
    const call = host.request('plugin/call', speak('a', 'one'))
    await logged(host, 'begun one')
    expect(await host.result('shutdown', { reason: 'test' })).toMatchObject({
      status: 'shutting_down',
      reason: 'test',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    })
    host.request('plugin/call', speak('a', 'release'))
    expect(await host.reply(call)).toMatchObject({ result: wav })
    expect(await host.exited).toEqual({ code: 0, signal: null })
    expect(pids.map(isAlive)).toEqual([false, false])
  })

  it('by shutdown cancels what does not finish in its timeout', async () => {
    const host = startHost(ttsPlugin('a', patientMembers))
    await host.result('events/subscribe', { types: ['log'] })
    await host.result('plugin/load', { name: 'a' })
    const call = host.request('plugin/call', speak('a', 'one'))
    await logged(host, 'begun one')
    await host.result('shutdown', { timeout: 50 })
    expect((await host.exited).code).toBe(0)
    expect(host.repliesTo(call)).toHaveLength(1)
    expect(host.repliesTo(call)[0]?.error).toBeDefined()
  })

  it('of a plugin lets its calls in flight finish, unless it is forced', async () => {
    const slow = `async synthesize(text) {
      console.error('begun ' + text)
      await new Promise((resolve) => setTimeout(resolve, 500))
      return encodeWav(new Int16Array(8), { sampleRate: 8000 })
    }`
    const host = startHost(ttsPlugin('a', slow))
    await host.result('events/subscribe', { types: ['log'] })
    const callInFlight = async () => {
      await host.result('plugin/load', { name: 'a' })
      const call = host.request('plugin/call', speak('a', 'one'))
      await logged(host, 'begun one')
      return call
    }
    const patient = await callInFlight()
    await host.result('plugin/unload', { name: 'a' })
    expect(await host.reply(patient)).toMatchObject({ result: wav })
    const hurried = await callInFlight()
    await host.result('plugin/unload', { name: 'a', force: true })
    expect((await host.reply(hurried)).error?.code).toBe(ErrorCodes.PLUGIN_NOT_READY)
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('by %s has status %i, and leaves no process', async (signal, code) => {
    const host = startHost(ttsPlugin('a', patientMembers))
    await host.result('events/subscribe', { types: ['log'] })
    await host.result('plugin/load', { name: 'a' })
    const pid = await pidOf(host, 'a')
    const call = host.request('plugin/call', speak('a', 'one'))
    await logged(host, 'begun one')
    host.child.kill(signal)
    expect(await host.exited).toEqual({ code, signal: null })
    expect(isAlive(pid)).toBe(false)
    expect(host.repliesTo(call)).toHaveLength(1)
  })

  it.each([[['--no-such-flag']], [['--log-level', 'LOUD']], [['--plugins-dir']], [['no-such-command']]])(
    '%j is bad usage: status 2, and nothing on stdout',
    async (args) => {
      const host = startHost({}, args)
      expect((await host.exited).code).toBe(2)
      expect(host.received).toEqual([])
      expect(host.garbage).toEqual([])
      expect(host.stderr).not.toBe('')
    },
  )

  it('--version prints the version', async () => {
    const host = startHost({}, ['--version'])
    expect((await host.exited).code).toBe(0)
    expect(host.garbage).toEqual([hostVersion])
  })
})

describe('flags', () => {
  it('--auto-load loads what is valid, and says on stderr what is not', async () => {
    const host = startHost(
      { ...ttsPlugin('a'), ...ttsPlugin('bad', "initialize() { throw new Error('no model') }") },
      ['--auto-load'],
    )
    expect(await host.result('tts/get_voices')).toMatchObject([{ id: 'a' }])
    await host.finish()
    expect(host.stderr).toContain('bad')
  })

  it('--plugins-dir may be given more than once', async () => {
    const host = startHost(ttsPlugin('a'), ['--plugins-dir', 'plugins', '--plugins-dir', 'plugins/a'])
    expect(await host.result('plugin/list')).toMatchObject([{ name: 'a' }])
  })
})

it('nothing but JSON ever comes out on stdout', async () => {
  const host = startHost(
    ttsPlugin(
      'a',
      `synthesize(text) {
        console.log('printed'); process.stdout.write('{"jsonrpc":"2.0","id":1,"result":"fake"}\\n')
        console.error('x'.repeat(1_000_000))
        return new Uint8Array(2)
      }`,
    ),
    ['--log-level', 'DEBUG'],
  )
  await host.result('plugin/load', { name: 'a' })
  await host.result('plugin/call', speak('a', 'x'))
  await host.finish()
  expect(host.garbage).toEqual([])
  expect(host.received).toHaveLength(2)
})
