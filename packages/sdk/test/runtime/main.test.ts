import { cpSync, mkdirSync, symlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ErrorCodes } from '@appfactory/sdk'
import { describe, expect, it, vi } from 'vitest'
import { isAlive, LinesProcess } from '../lines-process.js'
import { tempDir, writeFiles } from '../temp-dir.js'
import { handshake, lifecycle, runtimeFile, startPlugin, startRuntime, ttsPlugin } from './plugin-process.js'

vi.setConfig({ testTimeout: 30_000 })

const minimal = ttsPlugin('')

describe('the handshake', () => {
  it('tells the contract, its version, and what the author implemented', async () => {
    const { result } = await handshake(startRuntime(minimal))
    expect(result).toMatchObject({
      protocol_version: 1,
      sdk_version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      contract: { name: 'tts', methods: expect.any(Array) },
      config_schema: null,
      byte_channels: [],
    })
    expect((result as { capabilities: string[] }).capabilities.toSorted()).toEqual([
      'get_voices',
      'synthesize',
    ])
  })

  it('tells what was overridden, and whether state can be captured', async () => {
    const plugin = startRuntime(
      ttsPlugin('async *synthesizeStream() {}  captureState() {}  restoreState() {}'),
    )
    const { result } = await handshake(plugin)
    expect((result as { capabilities: string[] }).capabilities.toSorted()).toEqual([
      'get_voices',
      'state',
      'synthesize',
      'synthesize_stream',
    ])
  })

  it('takes a version that both speak', async () => {
    expect(await handshake(startRuntime(minimal), { versions: [99, 1] })).toMatchObject({
      result: { protocol_version: 1 },
    })
  })

  it.each([[[99]], [[]], [['1']]])('with versions %j is PROTOCOL_VERSION_UNSUPPORTED', async (versions) => {
    const { error } = await handshake(startRuntime(minimal), { versions })
    expect(error?.code).toBe(ErrorCodes.PROTOCOL_VERSION_UNSUPPORTED)
    for (const version of versions) expect(error?.message).toContain(String(version))
  })

  it('comes first', async () => {
    const plugin = startRuntime(minimal)
    for (const method of ['plugin/initialize', 'plugin/call', 'plugin/health'])
      expect((await plugin.ask(method, {})).error?.code).toBe(ErrorCodes.PLUGIN_NOT_READY)
    expect((await plugin.ask('plugin/dance')).error?.code).toBe(ErrorCodes.METHOD_NOT_FOUND)
    expect((await handshake(plugin)).error).toBeUndefined()
  })
})

describe('the class', () => {
  const one = (name: string): string => `class ${name} extends TTSContract {
    ${lifecycle}
    synthesize() { return new Uint8Array(2) }
    getVoices() { return [{ id: '${name}', name: '${name}', language: 'en' }] }
  }`
  const head = "import { TTSContract } from '@appfactory/sdk'"

  async function chosen(source: string, files: Record<string, string> = {}, entry = 'index.js') {
    const plugin = startRuntime({ 'package.json': '{"type":"module"}', 'index.js': source, ...files }, entry)
    const { error } = await handshake(plugin)
    if (error) return error
    const voices = await plugin.result<{ id: string }[]>('plugin/call', { method: 'get_voices', args: {} })
    return voices[0]?.id
  }

  it.each([
    ['exported as default', `${head}\nexport default ${one('A')}\nexport ${one('B')}`],
    ['exported as Plugin', `${head}\n${one('A')}\nexport { A as Plugin }\nexport ${one('B')}`],
    [
      'the only one, beside others that are none',
      `${head}\nexport ${one('A')}\nexport class Other {}\nexport { TTSContract }`,
    ],
  ])('%s is taken', async (_, source) => {
    expect(await chosen(source)).toBe('A')
  })

  it.each(['module.exports = A', 'exports.Plugin = A', 'exports.default = A', 'exports.Anything = A'])(
    'of a CommonJS module with %s is taken',
    async (exported) => {
      const dir = tempDir({
        'index.cjs': `const { TTSContract } = require('@appfactory/sdk')\n${one('A')}\n${exported}`,
      })
      mkdirSync(`${dir}/node_modules/@appfactory`, { recursive: true })
      symlinkSync(fileURLToPath(new URL('../../', import.meta.url)), `${dir}/node_modules/@appfactory/sdk`)
      const plugin = new LinesProcess(runtimeFile, [`${dir}/index.cjs`], { cwd: dir })
      expect((await handshake(plugin)).result).toMatchObject({ contract: { name: 'tts' } })
    },
  )

  it('is found beside an export that throws when it is read', async () => {
    const source = `import { TTSContract } from '@appfactory/sdk'
      export default { Plugin: ${one('A')}, get old() { throw new Error('given up') } }`
    expect(await chosen(source)).toBe('A')
  })

  it('that is one of two is CONTRACT_MISMATCH, naming both', async () => {
    const error = await chosen(`${head}\nexport ${one('First')}\nexport ${one('Second')}`)
    expect(error).toMatchObject({ code: ErrorCodes.CONTRACT_MISMATCH })
    expect(JSON.stringify(error)).toMatch(/First.*Second/)
  })

  it.each([
    ['none', 'export const x = 1', 'x'],
    ['one of no contract', 'export default class Plain {}', 'default'],
    ['another contract', ttsPlugin('').replaceAll('TTSContract', 'STTContract'), 'stt'],
    [
      'a method too few',
      `${head}\nexport default class Less extends TTSContract {${lifecycle} getVoices() {} }`,
      'synthesize',
    ],
  ])('%s is CONTRACT_MISMATCH, saying what there is', async (_, source, named) => {
    const error = await chosen(source)
    expect(error).toMatchObject({
      code: ErrorCodes.CONTRACT_MISMATCH,
      message: expect.stringContaining(named),
    })
  })

  it('may have its methods as fields', async () => {
    const source = `${head}\nexport default class Fields extends TTSContract {
      ${lifecycle}
      synthesize = async () => new Uint8Array(2)
      getVoices = async () => [{ id: 'field', name: 'F', language: 'en' }]
    }`
    expect(await chosen(source)).toBe('field')
  })

  it.each([
    ['throws', 'throw new Error("at import")', ErrorCodes.PLUGIN_LOAD_FAILED, 'at import'],
    ['does not parse', 'export default class {', ErrorCodes.PLUGIN_LOAD_FAILED, ''],
    [
      'needs a package that is missing',
      "import 'no-such-package-x'",
      ErrorCodes.DEPENDENCY_MISSING,
      'no-such-package-x',
    ],
    [
      'needs a file that is missing',
      "import './no-such-file.js'",
      ErrorCodes.PLUGIN_LOAD_FAILED,
      'no-such-file',
    ],
    [
      'cannot be constructed',
      ttsPlugin('constructor() { super(); throw new Error("in constructor") }'),
      ErrorCodes.PLUGIN_LOAD_FAILED,
      'in constructor',
    ],
  ])('whose module %s is told by its code', async (_, source, code, named) => {
    expect(await chosen(source)).toMatchObject({ code, message: expect.stringContaining(named) })
  })

  it('of another copy of the SDK runs', async () => {
    const sdk = fileURLToPath(new URL('../../', import.meta.url))
    const dir = tempDir()
    const copy = `${dir}/node_modules/@appfactory/sdk`
    mkdirSync(copy, { recursive: true })
    for (const part of ['dist', 'package.json'])
      cpSync(`${sdk}/${part}`, `${copy}/${part}`, { recursive: true })
    symlinkSync(`${sdk}/node_modules`, `${copy}/node_modules`)
    writeFiles(dir, {
      'package.json': '{"type":"module"}',
      'index.js': ttsPlugin("getVoiceInfo() { throw new PluginError(1001, 'gone') }"),
    })
    // Without --provide-sdk, the plugin's own copy is what it imports.
    const plugin = new LinesProcess(runtimeFile, [`${dir}/index.js`], { cwd: dir })
    expect((await handshake(plugin)).result).toMatchObject({ contract: { name: 'tts' } })
    expect(await plugin.result('plugin/health')).toMatchObject({ status: 'UNLOADED' })
    await plugin.result('plugin/initialize', { config: {} })
    expect(await plugin.result('plugin/health')).toMatchObject({ status: 'READY' })
    expect(await plugin.result('plugin/call', { method: 'synthesize', args: { text: 'x' } })).toMatchObject({
      format: 'wav',
      sample_rate: 8000,
    })
    const { error } = await plugin.ask('plugin/call', { method: 'get_voice_info', args: { voice_id: 'a' } })
    expect(error).toEqual({ code: 1001, message: 'gone' })
  })
})

describe('initialize', () => {
  it.each([
    ['throws', "initialize() { throw new Error('no model') }", 'no model'],
    ['returns false', 'initialize() { return false }', 'false'],
    ['rejects', "async initialize() { throw new Error('no model') }", 'no model'],
  ])('that %s is PLUGIN_INITIALIZE_FAILED', async (_, member, named) => {
    const plugin = startRuntime(ttsPlugin(member))
    await handshake(plugin)
    const { error } = await plugin.ask('plugin/initialize', { config: {} })
    expect(error).toMatchObject({
      code: ErrorCodes.PLUGIN_INITIALIZE_FAILED,
      message: expect.stringContaining(named),
    })
    expect(await plugin.result('plugin/health')).toMatchObject({ status: 'ERROR' })
  })

  it('may fail with a code of its own', async () => {
    const plugin = startRuntime(
      ttsPlugin("initialize() { throw new PluginError('MODEL_NOT_FOUND', 'no x.gguf') }"),
    )
    await handshake(plugin)
    expect((await plugin.ask('plugin/initialize', { config: {} })).error).toEqual({
      code: ErrorCodes.MODEL_NOT_FOUND,
      message: 'no x.gguf',
    })
  })

  it('gets a configuration that was checked against the class’s own schema', async () => {
    const schema = `
const issue = (config) => typeof config.voice === 'string' ? [] : [{ path: ['voice'], message: 'must be a string' }]
`
    const plugin = startRuntime(
      ttsPlugin(
        `static configSchema = { safeParse: (config) => issue(config).length ? { success: false, error: { issues: issue(config) } } : { success: true, data: { speed: 2, ...config } } }
         getVoices() { return [{ id: JSON.stringify(this.config), name: 'x', language: 'en' }] }`,
        schema,
      ),
    )
    await plugin.ask('plugin/handshake', {
      protocol_versions: [1],
      manifest: { name: 'test', version: '1.0.0', contract: 'tts' },
      wants_config_schema: false,
    })
    expect((await plugin.ask('plugin/initialize', { config: { voice: 5 } })).error).toMatchObject({
      code: ErrorCodes.CONFIG_INVALID,
      data: { issues: [{ path: 'voice' }] },
    })
    await plugin.result('plugin/initialize', { config: { voice: 'a' } })
    const [voice] = await plugin.result<{ id: string }[]>('plugin/call', { method: 'get_voices' })
    expect(JSON.parse(voice?.id ?? '')).toEqual({ speed: 2, voice: 'a' })
  })
})

describe('stdout', () => {
  it('is the protocol’s alone, whatever the plugin prints', async () => {
    const plugin = await startPlugin(
      ttsPlugin(
        `synthesize(text) {
          console.log('log %s', text, { a: 1 }); console.info('info'); console.warn('warn'); console.error('error')
          process.stdout.write('written\\n')
          process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id: 99, result: 'fake' }) + '\\n')
          return new Uint8Array(2)
        }`,
        "console.log('at import')",
      ),
    )
    await plugin.result('plugin/call', { method: 'synthesize', args: { text: 'hi' } })
    await plugin.finish()
    expect(plugin.garbage).toEqual([])
    expect(plugin.repliesTo(99)).toEqual([])
    expect(plugin.stderr).toContain('<6>at import\n')
    expect(plugin.stderr).toContain('<6>log hi { a: 1 }\n')
    expect(plugin.stderr).toContain('<4>warn\n')
    expect(plugin.stderr).toContain('<3>error\n')
    expect(plugin.stderr).toContain('written\n')
  })

  it.each([
    ['ends it', `process.stdout.end('last\\n', () => console.log('done'))`],
    ['ends it for a child’s output', `Readable.from(['last\\n']).pipe(process.stdout); process.stderr.end()`],
    ['destroys it with an error', `process.stdout.destroy(new Error('x')); process.stdout.write('last\\n')`],
    ['replaces how it writes', `process.stdout.write = () => { throw new Error('x') }`],
    ['closes its descriptor', `closeSync(2)`],
  ])('a plugin that %s does not die of the next line that it logs', async (_, line) => {
    const head = `import { closeSync } from 'node:fs'\nimport { Readable } from 'node:stream'`
    const plugin = await startPlugin(
      ttsPlugin(
        `async getVoices() { ${line}; console.log('next'); await new Promise((resolve) => setTimeout(resolve, 20)); console.error('later'); return [] }`,
        head,
      ),
    )
    expect(await plugin.result('plugin/call', { method: 'get_voices' })).toEqual([])
    expect(await plugin.ask('plugin/ping')).toMatchObject({ result: 'pong' })
    await plugin.finish()
    if (line.includes('last')) expect(plugin.stderr).toMatch(/last\n/)
    if (!/replaces|close|write =/.test(line)) expect(plugin.stderr).toContain('<3>later')
  })

  it('process.exit() right after a large reply: it arrives whole', async () => {
    const plugin = await startPlugin(
      ttsPlugin(
        "getVoices() { setImmediate(() => process.exit(3)); return [{ id: 'x'.repeat(4_000_000), name: 'ä', language: 'en' }] }",
      ),
    )
    const [voice] = await plugin.result<{ id: string; name: string }[]>('plugin/call', {
      method: 'get_voices',
    })
    expect(voice?.id.length).toBe(4_000_000)
    expect(voice?.name).toBe('ä')
    expect((await plugin.exited).code).toBe(3)
  })
})

describe('the end', () => {
  it('comes with the end of stdin, even with timers running', async () => {
    const plugin = await startPlugin(ttsPlugin('', 'setInterval(() => {}, 1000)'))
    expect(await plugin.finish()).toEqual({ code: 0, signal: null })
    expect(isAlive(plugin.pid)).toBe(false)
  })

  it('comes even where shutdown() never returns', async () => {
    const plugin = await startPlugin(
      ttsPlugin('shutdown() { return new Promise(() => setInterval(() => {}, 1000)) }'),
    )
    expect((await plugin.finish()).code).toBe(0)
  })

  it('lets shutdown() finish', async () => {
    const plugin = await startPlugin(
      ttsPlugin("async shutdown() { await new Promise(setImmediate); console.log('released', this.status) }"),
    )
    await plugin.finish()
    expect(plugin.stderr).toContain('released SHUTTING_DOWN')
  })

  it('comes after shutdown is answered, and shutdown() runs once', async () => {
    const plugin = await startPlugin(ttsPlugin("shutdown() { console.log('shutdown called') }"))
    expect(await plugin.result('plugin/shutdown', {})).toBe(true)
    expect((await plugin.exited).code).toBe(0)
    expect(plugin.stderr.match(/shutdown called/g)).toHaveLength(1)
  })

  it('runs shutdown() once, also where the end of stdin comes meanwhile', async () => {
    const plugin = await startPlugin(
      ttsPlugin(
        "shutdown() { console.log('shutdown called'); return new Promise((resolve) => setTimeout(resolve, 200)) }",
      ),
    )
    plugin.request('plugin/shutdown', {})
    expect((await plugin.finish()).code).toBe(0)
    expect(plugin.stderr.match(/shutdown called/g)).toHaveLength(1)
  })

  it('waits a moment for what cancelled calls have to tidy up', async () => {
    const tidy = `
      async synthesize(text, voiceId, { signal }) {
        console.log('begun')
        try { await new Promise((resolve) => signal.addEventListener('abort', resolve)) }
        finally { await new Promise((resolve) => setTimeout(resolve, 100)); console.log('tidied') }
      }
      shutdown() { console.log('shutdown called') }`
    const plugin = await startPlugin(ttsPlugin(tidy))
    plugin.request('plugin/call', { method: 'synthesize', args: { text: 'x' } })
    await vi.waitFor(() => expect(plugin.stderr).toContain('begun'), 20_000)
    expect((await plugin.finish()).code).toBe(0)
    expect(plugin.stderr).toMatch(/tidied[\s\S]*shutdown called/)
  })

  it('lets the answer to shutdown arrive behind much that is not read yet', async () => {
    const plugin = await startPlugin(
      ttsPlugin("getVoices() { return [{ id: 'x'.repeat(4_000_000), name: 'ä', language: 'en' }] }"),
    )
    plugin.child.stdout.pause()
    plugin.request('plugin/call', { method: 'get_voices' })
    const shutdown = plugin.request('plugin/shutdown', {})
    await new Promise((resolve) => setTimeout(resolve, 300))
    plugin.child.stdout.resume()
    expect(await plugin.reply(shutdown)).toMatchObject({ result: true })
    expect((await plugin.exited).code).toBe(0)
  })

  it('comes where shutdown() fails, too, with PLUGIN_SHUTDOWN_FAILED', async () => {
    const plugin = await startPlugin(ttsPlugin("shutdown() { throw new Error('stuck') }"))
    const { error } = await plugin.ask('plugin/shutdown', {})
    expect(error).toMatchObject({
      code: ErrorCodes.PLUGIN_SHUTDOWN_FAILED,
      message: expect.stringContaining('stuck'),
    })
    expect((await plugin.exited).code).toBe(0)
  })

  it('without a file to run is bad usage', async () => {
    expect((await new LinesProcess(runtimeFile, []).exited).code).toBe(2)
  })
})

describe('health', () => {
  it('says what the plugin says, with the process’s memory where it does not', async () => {
    const plugin = await startPlugin(
      ttsPlugin(
        "healthCheck() { return { status: this.status, message: 'fine', details: { someKey: 1 }, latencyMs: 2 } }",
      ),
    )
    const health = await plugin.result<{ memory_mb: number }>('plugin/health')
    expect(health).toMatchObject({ status: 'READY', message: 'fine', details: { someKey: 1 }, latency_ms: 2 })
    expect(health.memory_mb).toBeGreaterThan(10)
  })

  it('is BUSY while a call is in flight', async () => {
    const plugin = await startPlugin(
      ttsPlugin(
        'async synthesize() { await new Promise((resolve) => { this.release = resolve }); return new Uint8Array(2) }  getVoices() { this.release(); return [] }',
      ),
    )
    const call = plugin.request('plugin/call', { method: 'synthesize', args: { text: 'x' } })
    expect(await plugin.result('plugin/health')).toMatchObject({ status: 'BUSY' })
    await plugin.result('plugin/call', { method: 'get_voices' })
    await plugin.reply(call)
    expect(await plugin.result('plugin/health')).toMatchObject({ status: 'READY' })
  })
})

describe('a health check that fails', () => {
  it.each([
    ['throws', `throw new Error('no engine')`, /test failed: no engine/],
    [
      'has a message that is no text',
      `return { status: this.status, message: { toString() { throw new Error('odd') } } }`,
      /test failed: odd/,
    ],
    ['has a status that only every object has', `return { status: 'constructor' }`, /test must return/],
  ])('because it %s names the plugin', async (_, body, words) => {
    const plugin = await startPlugin(ttsPlugin(`healthCheck() { ${body} }`))
    expect((await plugin.ask('plugin/health')).error).toMatchObject({
      message: expect.stringMatching(words),
      data: { plugin: 'test', method: 'health_check' },
    })
    expect(await plugin.result('plugin/call', { method: 'get_voices' })).toHaveLength(1)
  })
})

describe('cancelling', () => {
  it('aborts the author’s signal, and is answered once', async () => {
    const plugin = await startPlugin(
      ttsPlugin(`async synthesize(text, voiceId, { signal }) {
        console.log('begun')
        await new Promise((_, reject) => signal.addEventListener('abort', () => { console.log('aborted'); reject(signal.reason) }))
      }`),
    )
    const id = plugin.request('plugin/call', { method: 'synthesize', args: { text: 'x' } })
    await plugin.result('plugin/health')
    for (let again = 0; again < 3; again++) plugin.notify('$/cancelRequest', { id })
    expect((await plugin.reply(id)).error?.code).toBe(ErrorCodes.REQUEST_CANCELLED)
    await plugin.finish()
    expect(plugin.repliesTo(id)).toHaveLength(1)
    expect(plugin.stderr.match(/aborted/g)).toHaveLength(1)
  })

  it('is answered with REQUEST_CANCELLED even where the method then returns something', async () => {
    const plugin = await startPlugin(
      ttsPlugin(`async synthesize(text, voiceId, { signal }) {
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        return new Uint8Array(2)
      }`),
    )
    const id = plugin.request('plugin/call', { method: 'synthesize', args: { text: 'x' } })
    await plugin.result('plugin/health')
    plugin.notify('$/cancelRequest', { id })
    expect((await plugin.reply(id)).error?.code).toBe(ErrorCodes.REQUEST_CANCELLED)
  })

  it('is answered where a method ignores its signal, and only once', async () => {
    const plugin = await startPlugin(
      ttsPlugin(`async synthesize() { await new Promise((resolve) => { this.release = resolve }); return new Uint8Array(2) }
        getVoices() { this.release(); return [] }`),
    )
    const id = plugin.request('plugin/call', { method: 'synthesize', args: { text: 'x' } })
    await plugin.result('plugin/health')
    plugin.notify('$/cancelRequest', { id })
    expect((await plugin.reply(id)).error?.code).toBe(ErrorCodes.REQUEST_CANCELLED)
    await plugin.result('plugin/call', { method: 'get_voices' })
    await plugin.finish()
    expect(plugin.repliesTo(id)).toHaveLength(1)
  })

  it('runs the finally of a generator', async () => {
    const plugin = await startPlugin(
      ttsPlugin(`async *synthesizeStream() {
        try { for (;;) { yield encodeWav(new Int16Array(8), { sampleRate: 8000 }); await new Promise(setImmediate) } }
        finally { console.log('generator closed') }
      }`),
    )
    const args = { method: 'synthesize_stream', args: { text: 'x' }, stream: { credit: 4 } }
    const id = plugin.request('plugin/call', args)
    for (let seq = 0; seq < 4; seq++)
      await plugin.notification('$/stream', (params) => params['id'] === id && params['seq'] === seq)
    await plugin.result('plugin/health')
    plugin.notify('$/cancelRequest', { id })
    expect((await plugin.reply(id)).error?.code).toBe(ErrorCodes.REQUEST_CANCELLED)
    await plugin.finish()
    expect(plugin.stderr).toContain('generator closed')
    const pieces = plugin.received.flat().filter(({ method }) => method === '$/stream')
    expect(pieces).toHaveLength(4)
  })

  it('the end of the host closes a generator', async () => {
    const plugin = await startPlugin(
      ttsPlugin(`async *synthesizeStream() {
        try { for (;;) yield encodeWav(new Int16Array(8), { sampleRate: 8000 }) }
        finally { console.log('generator closed') }
      }`),
    )
    plugin.request('plugin/call', { method: 'synthesize_stream', args: { text: 'x' }, stream: { credit: 1 } })
    await plugin.notification('$/stream')
    await plugin.finish()
    expect(plugin.stderr).toContain('generator closed')
  })
})

describe('an error', () => {
  it('that nobody foresaw is INTERNAL_ERROR: its stack is in the log, not in the answer', async () => {
    const plugin = await startPlugin(ttsPlugin("synthesize() { throw new RangeError('off the scale') }"))
    const { error } = await plugin.ask('plugin/call', { method: 'synthesize', args: { text: 'x' } })
    expect(error).toEqual({
      code: ErrorCodes.INTERNAL_ERROR,
      message: expect.stringContaining('off the scale'),
      data: { plugin: 'test', method: 'synthesize', error: 'RangeError' },
    })
    expect(JSON.stringify(error)).not.toContain('index.js')
    await plugin.finish()
    expect(plugin.stderr).toMatch(/<3>RangeError: off the scale\n<3>\s+at .*index\.js/)
  })

  it('whose data is no JSON keeps its code', async () => {
    const plugin = await startPlugin(
      ttsPlugin("synthesize() { throw new PluginError(1000, 'x', { n: 1n }) }"),
    )
    const { error } = await plugin.ask('plugin/call', { method: 'synthesize', args: { text: 'x' } })
    expect(error?.code).toBe(1000)
    expect(await plugin.result('plugin/health')).toMatchObject({ status: 'READY' })
  })
})

function thrownAt(place: string): string {
  return `throw Object.assign(new Error('no licence'), { stack: 'Error: no licence\\n    at ${place}' })`
}

describe('an error that hides what went wrong', () => {
  async function failing(body: string) {
    const plugin = await startPlugin(ttsPlugin(`synthesize() { ${body} }`))
    const { error } = await plugin.ask('plugin/call', { method: 'synthesize', args: { text: 'x' } })
    expect(await plugin.ask('plugin/ping')).toMatchObject({ result: 'pong' })
    return { error, log: plugin }
  }

  it.each([
    [
      'a plain object',
      `throw { code: 429, message: 'quota exceeded' }`,
      /test: synthesize failed: quota exceeded/,
    ],
    [
      'a cause',
      `throw new Error('engine failed', { cause: new Error('CUDA out of memory') })`,
      /CUDA out of memory/,
    ],
    ['a fetch to nobody', `return fetch('http://127.0.0.1:1')`, /ECONNREFUSED|bad port/],
    [
      'an error that can’t be looked at',
      `throw new Proxy({}, { get() { throw new Error('inspect') } })`,
      /test: synthesize failed/,
    ],
    [
      'an error whose inspection throws',
      `const error = new Error('engine lost'); error[Symbol.for('nodejs.util.inspect.custom')] = () => { throw new Error('inspect') }; throw error`,
      /test: synthesize failed: engine lost/,
    ],
  ])('(%s) is told, with the plugin and the method', async (_, body, words) => {
    const { error } = await failing(body)
    expect(error).toMatchObject({
      code: ErrorCodes.INTERNAL_ERROR,
      data: { plugin: 'test', method: 'synthesize' },
      message: expect.stringMatching(words),
    })
  })

  it('is told where the author’s own console.error throws', async () => {
    const { error } = await failing(
      `console.error = () => { throw new Error('no logs') }; throw new Error('real')`,
    )
    expect(error).toMatchObject({ message: expect.stringMatching(/synthesize failed: real/) })
  })

  it('does not end the process where a PluginError has no message', async () => {
    const { error } = await failing(`throw Object.assign(new PluginError(1000, 'x'), { message: undefined })`)
    expect(error).toMatchObject({ code: 1000, message: expect.any(String) })
  })

  it('keeps its code where its data is no JSON', async () => {
    const { error } = await failing(
      `const data = { at: new Error('x'), n: 1n }; data.self = data; throw new PluginError('TTS_TEXT_TOO_LONG', 'long', data)`,
    )
    expect(error).toMatchObject({ code: 1002, data: { at: { message: 'x' }, n: '1', self: '[circular]' } })
  })

  it.each([
    ['an object', `throw { code: 7, message: 'no licence' }`],
    ['an error of another machine’s file', thrownAt('file://elsewhere/x.js:3:4')],
    ['an error of an address that is no path', thrownAt('file:///x%2Fy.js:3:4')],
  ])('at import is told too: %s', async (_, source) => {
    const { error } = await handshake(startRuntime(source))
    expect(error).toMatchObject({
      code: ErrorCodes.PLUGIN_LOAD_FAILED,
      message: expect.stringMatching(/no licence/),
    })
  })
})

describe('a CommonJS plugin without an SDK of its own gets the host’s', () => {
  const body = (head: string): string => `${head}
class TestPlugin extends TTSContract { ${lifecycle}
  synthesize() { return encodeWav(new Int16Array(80), { sampleRate: 8000 }) }
  getVoices() { return [{ id: 'a', name: 'A', language: 'en' }] }
}
module.exports = TestPlugin`
  const required = `const { TTSContract, encodeWav } = require('@appfactory/sdk')`

  it.each([
    ['where it is required', { 'index.cjs': body(required) }],
    [
      'where a module of it is required',
      { 'index.cjs': body(`${required}\nrequire('@appfactory/sdk/internal')`) },
    ],
    [
      'where several modules of the plugin require it',
      {
        'index.cjs': body(
          `const { TTSContract } = require('./sdk.cjs')\nconst { encodeWav } = require('@appfactory/sdk')`,
        ),
        'sdk.cjs': `module.exports = require('@appfactory/sdk')`,
      },
    ],
  ])('%s', async (_, files) => {
    const plugin = startRuntime(files, 'index.cjs')
    expect((await handshake(plugin)).error).toBeUndefined()
    await plugin.result('plugin/initialize', { config: {} })
    expect(await plugin.result('plugin/call', { method: 'synthesize', args: { text: 'x' } })).toMatchObject({
      format: 'wav',
      sample_rate: 8000,
    })
  })

  it('and what else is missing is still named', async () => {
    const plugin = startRuntime({ 'index.cjs': `${required}\nrequire('not-here')` }, 'index.cjs')
    expect((await handshake(plugin)).error).toMatchObject({ data: { missing: ['not-here'] } })
  })
})

describe('a package that is missing', () => {
  it.each([
    ['lodash_is_not_here/fp', 'lodash_is_not_here'],
    ['@google-cloud-not-here/speech/build/x', '@google-cloud-not-here/speech'],
    ['not-here', 'not-here'],
  ])('is named without the path inside it (%s)', async (specifier, name) => {
    for (const [entry, source] of [
      ['index.js', `import '${specifier}'`],
      ['index.cjs', `require('${specifier}')`],
    ] as const) {
      const plugin = startRuntime({ [entry]: source, 'package.json': '{"type":"module"}' }, entry)
      const { error } = await handshake(plugin)
      expect(error).toMatchObject({ code: ErrorCodes.DEPENDENCY_MISSING, data: { missing: [name] } })
      expect(error?.message).toMatch(new RegExp(`npm install ${name}$`))
    }
  })
})
