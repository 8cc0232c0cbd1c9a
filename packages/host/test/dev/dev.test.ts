import { spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import { isAlive, LinesProcess } from '../../../sdk/test/lines-process.js'
import {
  type DevelopmentEvent,
  PluginHost,
  type PluginWatch,
  pluginsDirOf,
  watchPlugins,
} from '../../src/index.js'
import { temporaryFolder, writeFiles } from '../fixtures/plugins.js'

const command = fileURLToPath(new URL('../../bin/appfactory-host.js', import.meta.url))

/** Speaks of itself in get_voices: `<label> <calls so far> <process>`. The number of calls is its state. */
const javascript = (label: string, members = ''): string => `
import { TTSContract } from '@appfactory/sdk'
class Base extends TTSContract {
  calls = 0
  async initialize(config) { this.config = config }
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  async synthesize(text) { await new Promise((resolve) => setTimeout(resolve, Number(text))); return new Uint8Array(1) }
  async getVoices() { return [{ id: 'a', name: '${label} ' + ++this.calls + ' ' + process.pid, language: 'en' }] }
  captureState() { return this.calls }
  restoreState(calls) { this.calls = calls }
}
export default class Voice extends Base {
  ${members}
}
`

/** The same in TypeScript; its label comes from `engine.ts`. */
const typescript = (imports: string, members = ''): string => `
import { type HealthStatus, TTSContract } from '@appfactory/sdk'
${imports}
export default class Voice extends TTSContract {
  #calls: number = 0
  async initialize(): Promise<void> {}
  async shutdown(): Promise<void> {}
  async healthCheck(): Promise<HealthStatus> { return { status: this.status, message: '', details: {} } }
  async synthesize(): Promise<Uint8Array> { return new Uint8Array(1) }
  async getVoices() { return [{ id: 'a', name: label + ' ' + ++this.#calls + ' ' + process.pid, language: 'en' }] }
  override captureState(): number { return this.#calls }
  override restoreState(calls: unknown): void { this.#calls = Number(calls) }
  ${members}
}
`

const label = (text: string): string => `export const label: string = '${text}'\n`

function manifest(name: string, more: object = {}): string {
  return JSON.stringify({ name, version: '1.0.0', contract: 'tts', entry_point: 'index.js', ...more })
}

function writeJavaScript(root: string, name: string, text: string): string {
  const dir = join(root, name)
  writeFiles(dir, { 'manifest.json': manifest(name), 'package.json': '{"type":"module"}', 'index.js': text })
  return dir
}

function writeTypeScript(root: string, name: string, files: Record<string, string>): string {
  const dir = join(root, name)
  writeFiles(dir, {
    'manifest.json': manifest(name, { entry_point: 'dist/index.js' }),
    'package.json': '{"type":"module"}',
    ...files,
  })
  return dir
}

/** `appfactory-host dev` in a folder, with what it tells as JSON. */
class Dev extends LinesProcess {
  constructor(dir: string, ...args: string[]) {
    super(command, ['dev', ...args, '--json'], { cwd: dir })
  }

  get events(): Record<string, unknown>[] {
    const lines = this.stderr.split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line)).filter(({ type }) => type !== 'log')
  }

  /** How often that has happened. */
  count(type: string): number {
    return this.events.filter((event) => event['type'] === type).length
  }

  /** Waits until that has happened so often; returns the last time. */
  async happened(type: string, times = 1): Promise<Record<string, unknown>> {
    await expect.poll(() => this.count(type), { interval: 20 }).toBeGreaterThanOrEqual(times)
    return this.events.filter((event) => event['type'] === type)[times - 1] ?? {}
  }

  /** The label of the plugin, and its number of calls. */
  async voice(plugin = 'voice'): Promise<string> {
    return (await this.voiceAndPid(plugin)).split(' ').slice(0, 2).join(' ')
  }

  async voicePid(plugin = 'voice'): Promise<number> {
    return Number((await this.voiceAndPid(plugin)).split(' ')[2])
  }

  async voiceAndPid(plugin: string): Promise<string> {
    const voices = await this.result<{ name: string }[]>('plugin/call', { plugin, method: 'get_voices' })
    return voices[0]?.name ?? ''
  }
}

/** What `appfactory-host dev` does, in this process: a host, and a watch on its plugins. */
class Watched implements AsyncDisposable {
  /** All but repeated failures, which the command leaves out too. */
  readonly events: DevelopmentEvent[] = []
  /** What the plugins have printed. */
  printed = ''
  readonly host: PluginHost
  #watch: PluginWatch | undefined

  private constructor(pluginsDir: string, configDir: string | undefined) {
    this.host = new PluginHost({ pluginsDir, preferSource: true, ...(configDir && { configDir }) })
    this.host.on('log', ({ message }) => {
      this.printed += `${message}\n`
    })
  }

  static async start(dir: string, configDir?: string): Promise<Watched> {
    const watched = new Watched(pluginsDirOf(dir), configDir)
    const onEvent = (event: DevelopmentEvent): void => {
      if (event.type !== 'failed' || !event.repeated) watched.events.push(event)
    }
    watched.#watch = await watchPlugins(watched.host, { dir, onEvent, ...(configDir && { configDir }) })
    return watched
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch?.close()
    await this.host.close({ force: true })
  }

  /** How often that has happened. */
  count(type: DevelopmentEvent['type']): number {
    return this.events.filter((event) => event.type === type).length
  }

  /** Waits until that has happened so often; returns the last time. */
  async happened<Type extends DevelopmentEvent['type']>(
    type: Type,
    times = 1,
  ): Promise<DevelopmentEvent & { type: Type }> {
    await vi.waitFor(() => expect(this.count(type)).toBeGreaterThanOrEqual(times), {
      interval: 20,
      timeout: 20_000,
    })
    const isOne = (event: DevelopmentEvent): event is DevelopmentEvent & { type: Type } => event.type === type
    const event = this.events.filter(isOne)[times - 1]
    if (!event) throw new Error(`no ${type}`)
    return event
  }

  /** The label of the plugin, and its number of calls. */
  async voice(plugin = 'voice'): Promise<string> {
    return (await this.#voiceAndPid(plugin)).split(' ').slice(0, 2).join(' ')
  }

  async voicePid(plugin = 'voice'): Promise<number> {
    return Number((await this.#voiceAndPid(plugin)).split(' ')[2])
  }

  async #voiceAndPid(plugin: string): Promise<string> {
    const voices = (await this.host.call(plugin, 'get_voices')) as { name: string }[]
    return voices[0]?.name ?? ''
  }
}

test('a plugin in JavaScript is swapped when it is saved, and keeps its state', async () => {
  const dir = writeJavaScript(temporaryFolder(), 'voice', javascript('one'))
  const dev = new Dev(dir)
  // Calls wait for a plugin that is being loaded.
  expect(await dev.voice()).toBe('one 1')
  const before = await dev.voicePid()
  writeFileSync(join(dir, 'index.js'), javascript('two'))
  expect(await dev.happened('reloaded')).toMatchObject({ plugin: 'voice', state_preserved: true })
  expect(await dev.voice()).toBe('two 3')
  await expect.poll(() => isAlive(before)).toBe(false)
  // A save as most editors do it: into another file, which is then renamed.
  writeFileSync(join(dir, '.index.js.swp'), javascript('three'))
  renameSync(join(dir, '.index.js.swp'), join(dir, 'index.js'))
  await dev.happened('reloaded', 2)
  expect(await dev.voice()).toBe('three 4')
  const after = await dev.voicePid()
  expect(await dev.finish()).toMatchObject({ code: 0 })
  expect(isAlive(after)).toBe(false)
})

for (const name of ['./engine.ts', './engine.js', './engine'])
  test(`TypeScript runs without a build, with '${name}' for engine.ts`, async () => {
    const dir = writeTypeScript(temporaryFolder(), 'voice', {
      'src/index.ts': typescript(`import { label } from '${name}'`),
      'src/engine.ts': label('one'),
      // What was built some time ago is not what runs.
      'dist/index.js': javascript('stale'),
    })
    await using dev = await Watched.start(dir)
    expect(await dev.voice()).toBe('one 1')
    writeFileSync(join(dir, 'src/engine.ts'), label('two'))
    expect(await dev.happened('reloaded')).toMatchObject({ statePreserved: true })
    expect(await dev.voice()).toBe('two 2')
    writeFileSync(join(dir, 'dist/index.js'), javascript('built'))
    writeFileSync(join(dir, 'src/engine.ts'), label('three'))
    await dev.happened('reloaded', 2)
    expect(await dev.voice()).toBe('three 3')
    expect(dev.count('failed')).toBe(0)
    expect(dev.printed).not.toContain('Warning')
  })

const beyondStripping = {
  'src/index.ts': typescript(
    // TTSContract comes along with a type that nothing marks as one.
    "import { label, Label } from './engine.js'\nenum Mood { Good = 'good' }",
    'constructor(readonly mood: Label = Mood.Good) { super() }',
  ),
  'src/engine.ts': `export type Label = string\nexport namespace Inner { export const one = 'one' }\nexport const label: Label = Inner.one\n`,
}

test('enums, parameter properties, namespaces and types imported as values run too', async () => {
  const root = temporaryFolder()
  writeTypeScript(root, 'voice', beyondStripping)
  await using dev = await Watched.start(root)
  expect(await dev.voice()).toBe('one 1')
})

test('a plugin with an SDK of its own, a .mts entry, and one with permissions run from their source', async () => {
  const root = temporaryFolder()
  const sdk = fileURLToPath(new URL('../../../sdk', import.meta.url))
  for (const name of ['own', 'limited', 'other']) {
    const dir = writeTypeScript(root, name, beyondStripping)
    if (name === 'other') continue
    mkdirSync(join(dir, 'node_modules/@appfactory'), { recursive: true })
    symlinkSync(sdk, join(dir, 'node_modules/@appfactory/sdk'))
  }
  writeFileSync(
    join(root, 'limited/manifest.json'),
    manifest('limited', { entry_point: 'dist/index.js', permissions: [] }),
  )
  writeFiles(join(root, 'other'), {
    'manifest.json': manifest('other', { entry_point: 'lib/main.mts' }),
    'lib/main.mts': typescript("import { label } from '../src/engine.js'"),
  })
  await using dev = await Watched.start(root)
  for (const name of ['own', 'limited', 'other']) expect(await dev.voice(name)).toBe('one 1')
})

const brokenSaves: [what: string, file: string, text: string, says: string, place: string | null][] = [
  ['a syntax error', 'index.js', `${javascript('x')}\nconst a = (\n`, 'Unexpected', 'index.js:'],
  [
    'a throw at import',
    'index.js',
    `${javascript('x')}\nthrow new Error('no such luck')\n`,
    'no such luck',
    'index.js:',
  ],
  [
    'initialize() that fails',
    'index.js',
    javascript('x', 'initialize() {\nthrow new Error("no luck") }'),
    'no luck',
    'index.js:15',
  ],
  [
    'restoreState() that fails',
    'index.js',
    javascript('x', 'restoreState() { throw new Error("no luck") }'),
    'no luck',
    'index.js:14',
  ],
  [
    'a missing package',
    'index.js',
    `import 'nowhere-to-be-found'\n${javascript('x')}`,
    'nowhere-to-be-found',
    null,
  ],
  ['a class that is no plugin', 'index.js', 'export default class {}', 'exports no class', null],
  ['a manifest that is not JSON', 'manifest.json', '{ "name": "voice",', 'manifest.json', null],
  [
    'a configuration that the schema refuses',
    'manifest.json',
    manifest('voice', { config_schema: { required: ['key'] } }),
    'key',
    null,
  ],
]

for (const [what, file, text, says, place] of brokenSaves)
  test.concurrent(`a save with ${what}: the one before goes on, the error is shown once, and mending works`, async ({
    expect,
    onTestFinished,
  }) => {
    const root = temporaryFolder(onTestFinished)
    const dir = writeJavaScript(root, 'voice', javascript('one'))
    await using dev = await Watched.start(join(root, 'voice'))
    expect(await dev.voice()).toBe('one 1')
    const pid = await dev.voicePid()
    writeFileSync(join(dir, file), text)
    const failed = await dev.happened('failed')
    expect(failed).toMatchObject({ plugin: 'voice', serving: true })
    expect(String(failed.error)).toContain(says)
    expect(String(failed.place)).toContain(place ?? 'undefined')
    expect(await dev.voicePid()).toBe(pid)
    // The same again, so often that some of it is tried again.
    for (let round = 0; round < 3; round++) {
      await delay(150)
      writeFileSync(join(dir, file), text)
    }
    await delay(150)
    writeFiles(dir, { 'manifest.json': manifest('voice'), 'index.js': javascript('mended') })
    await dev.happened('reloaded')
    expect(dev.events.filter(({ type }) => type === 'failed')).toEqual([failed])
    expect(await dev.voice()).toBe('mended 4')
  })

test('for people there are lines on stderr, without colours where it is no terminal', async () => {
  const root = temporaryFolder()
  const dir = writeTypeScript(root, 'voice', {
    'src/index.ts': typescript("import { label } from './engine.ts'", 'spoken = console.log("hello")'),
    'src/engine.ts': label('one'),
  })
  const dev = new LinesProcess(command, ['dev', 'voice'], { cwd: root })
  const says = (text: RegExp): Promise<void> => expect.poll(() => dev.stderr).toMatch(text)
  await says(/^watching voice; JSON-RPC on stdin and stdout$/m)
  await says(/^voice \| hello$/m)
  await says(/^voice ready in \d+ ms$/m)
  writeFileSync(join(dir, 'src/engine.ts'), label('two'))
  await says(/^voice reloaded in \d+ ms \(state kept\)$/m)
  for (let round = 0; round < 3; round++) {
    writeFileSync(join(dir, 'src/engine.ts'), `\n\nthrow new Error('broken ${'x'}')\n`)
    await says(/^voice not reloaded/m)
    await delay(500)
  }
  await says(
    /^voice not reloaded, the previous one keeps running: voice\/src\/engine\.ts:3: .*broken x \(PLUGIN_LOAD_FAILED\)$/m,
  )
  // The stack in the plugin's log, and the line.
  expect(dev.stderr.match(/broken x/g)).toHaveLength(2)
  expect(dev.stderr).not.toContain('\u{1b}')
})

test('a link to a plugin is as good as its folder', async () => {
  const root = temporaryFolder()
  const dir = writeJavaScript(temporaryFolder(), 'voice', javascript('one'))
  symlinkSync(dir, join(root, 'mine'), 'junction')
  await using dev = await Watched.start(join(root, 'mine'))
  await dev.happened('loaded')
  writeFileSync(join(root, 'mine', 'index.js'), javascript('two'))
  await dev.happened('reloaded')
  expect(await dev.voice()).toBe('two 1')
})

test('a plugin that is broken at the start is loaded once it is mended', async () => {
  const dir = writeJavaScript(temporaryFolder(), 'voice', `${javascript('x')}\nconst a = (\n`)
  const dev = new Dev(dir)
  const failed = await dev.happened('failed')
  expect(failed).toMatchObject({ serving: false })
  expect(failed['place']).toMatch(/index\.js:\d+$/)
  expect((await dev.ask('plugin/call', { plugin: 'voice', method: 'get_voices' })).error?.code).toBe(-32001)
  writeFileSync(join(dir, 'index.js'), javascript('mended'))
  await dev.happened('loaded')
  expect(await dev.voice()).toBe('mended 1')
})

test('an edit of the manifest or of the configuration’s file counts; what the plugin writes elsewhere does not', async () => {
  const root = temporaryFolder()
  writeFiles(root, { 'config/voice.json': '{"mood":"calm"}' })
  const showConfig =
    'captureState() { return 0 }\nasync initialize(config) { console.log(JSON.stringify(config)) }'
  const dir = writeJavaScript(join(root, 'plugins'), 'voice', javascript('one', showConfig))
  await using dev = await Watched.start(join(root, 'plugins'), join(root, 'config'))
  await dev.voice()
  writeFileSync(join(dir, 'manifest.json'), manifest('voice', { version: '2.0.0' }))
  expect(await dev.happened('reloaded')).toMatchObject({ version: '2.0.0' })
  writeFiles(dir, {
    'out/sound.js': '',
    'logs/x.json': '',
    'node_modules/x/index.js': '',
    '.cache/x.js': '',
    'sound.wav': '',
  })
  await delay(500)
  expect(dev.count('reloaded')).toBe(1)
  writeFileSync(join(root, 'config/voice.json'), '{"mood":"merry"}')
  await dev.happened('reloaded', 2)
  await vi.waitFor(() => expect(dev.printed).toContain('merry'))
})

test('log files are written only where --log-dir says', async () => {
  const root = temporaryFolder()
  writeJavaScript(join(root, 'plugins'), 'voice', javascript('one', 'spoken = console.log("hello")'))
  for (const [args, isWritten] of [
    [[], false],
    [['--log-dir', 'logs'], true],
  ] as const) {
    const dev = new Dev(root, 'plugins', ...args)
    expect(await dev.voice()).toBe('one 1')
    await dev.finish()
    expect(existsSync(join(root, 'logs/plugins.log'))).toBe(isWritten)
  }
})

test('in a folder of plugins, new ones are loaded, others left alone, and removed ones unloaded', async () => {
  const root = temporaryFolder()
  writeJavaScript(root, 'first', javascript('first'))
  await using dev = await Watched.start(root)
  const pid = await dev.voicePid('first')
  writeJavaScript(root, 'second', javascript('second'))
  await dev.happened('loaded', 2)
  expect(await dev.voice('second')).toBe('second 1')
  const second = await dev.voicePid('second')
  rmSync(join(root, 'second'), { recursive: true })
  expect(await dev.happened('unloaded')).toMatchObject({ plugin: 'second' })
  expect(isAlive(second)).toBe(false)
  writeJavaScript(root, 'second', javascript('again'))
  await dev.happened('loaded', 3)
  expect(await dev.voice('second')).toBe('again 1')
  expect(await dev.voicePid('first')).toBe(pid)
  expect(dev.count('reloaded')).toBe(0)
})

test('bursts of saves are few reloads, the last save is what runs, and no call under load is lost', async () => {
  const dir = writeJavaScript(temporaryFolder(), 'voice', javascript('v0'))
  await using dev = await Watched.start(dir)
  const numbers: number[] = []
  let done = false
  const caller = async (): Promise<void> => {
    while (!done) numbers.push(Number((await dev.voice()).split(' ')[1]))
  }
  const callers = Array.from({ length: 8 }, caller)
  await dev.happened('loaded')
  const saves = 60
  for (let version = 1; version <= saves; version++) {
    writeFileSync(join(dir, 'index.js'), javascript(`v${version}`))
    // Now and then time for a swap to begin, so that the next save comes in its middle.
    await delay(version % 10 === 0 ? 150 : 5)
  }
  await expect.poll(async () => (await dev.voice()).split(' ')[0]).toBe(`v${saves}`)
  done = true
  await Promise.all(callers)
  expect(dev.count('failed')).toBe(0)
  expect(dev.count('reloaded')).toBeLessThan(saves / 2)
  // Each call was counted in exactly one state. Those of the poll are missing here.
  expect(new Set(numbers).size).toBe(numbers.length)
})

test('a call in flight ends on the one that began it', async () => {
  const dir = writeJavaScript(
    temporaryFolder(),
    'voice',
    javascript('one', 'captureState = undefined; restoreState = undefined'),
  )
  await using dev = await Watched.start(dir)
  await dev.voice()
  let hasEnded = false
  const slow = dev.host.call('voice', 'synthesize', { text: '1500' }).finally(() => {
    hasEnded = true
  })
  writeFileSync(join(dir, 'index.js'), javascript('two'))
  expect(await dev.happened('reloaded')).toMatchObject({ statePreserved: false })
  expect(await dev.voice()).toBe('two 1')
  expect(hasEnded).toBe(false)
  await slow
})

test('a swap that calls in flight held up is tried again', async () => {
  const root = temporaryFolder()
  const dir = writeJavaScript(root, 'voice', javascript('one'))
  await using host = new PluginHost({ pluginsDir: root, preferSource: true, drainTimeoutMs: 100 })
  const events: DevelopmentEvent[] = []
  await using _ = await watchPlugins(host, { dir: root, onEvent: (event) => events.push(event) })
  const types = (): string[] => events.map(({ type }) => type).filter((type) => type !== 'changed')
  await expect.poll(types).toEqual(['loaded'])
  const slow = host.call('voice', 'synthesize', { text: '2000' })
  writeFileSync(join(dir, 'index.js'), javascript('two'))
  await expect.poll(types).toContain('reloaded')
  await slow
  // It was told of once.
  const [, ...later] = events.filter((event) => event.type === 'failed')
  expect(types()[1]).toBe('failed')
  expect(later.every(({ repeated }) => repeated)).toBe(true)
  expect(JSON.stringify(await host.call('voice', 'get_voices'))).toContain('two 1')
})

test('it ends with its input, at shutdown, or by a signal with its status; no process is left', async () => {
  const root = temporaryFolder()
  writeJavaScript(root, 'voice', javascript('one'))
  const ends: [(dev: Dev) => unknown, code: number][] = [
    [(dev) => dev.child.stdin.end(), 0],
    [(dev) => dev.notify('shutdown'), 0],
    [(dev) => dev.child.kill('SIGINT'), 130],
    [(dev) => dev.child.kill('SIGTERM'), 143],
    [(dev) => dev.child.kill('SIGHUP'), 129],
  ]
  for (const [end, code] of ends) {
    const dev = new Dev(root)
    const pid = await dev.voicePid()
    end(dev)
    expect((await dev.exited).code).toBe(code)
    expect(isAlive(pid)).toBe(false)
    expect(dev.garbage).toEqual([])
  }
})

test('the end of /dev/null does not end it; what is no folder is bad usage', async () => {
  const root = temporaryFolder()
  writeJavaScript(root, 'voice', javascript('one'))

  const dev = spawn(process.execPath, [command, 'dev'], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = new Promise((resolve) => dev.once('close', resolve))
  let said = ''
  dev.stderr.on('data', (chunk) => {
    said += chunk
  })
  await expect.poll(() => said).toMatch(/voice ready/)
  await delay(200)
  expect(dev.exitCode).toBe(null)
  dev.kill('SIGINT')
  expect(await exited).toBe(130)
  expect(await new Dev(root, 'nowhere').exited).toMatchObject({ code: 2 })
  expect(await new Dev(root, '--plugins-dir', '.').exited).toMatchObject({ code: 2 })
})

test('a plugin that writes into its own folder as it starts is reloaded for ever', async () => {
  const root = temporaryFolder()
  const writes = `async initialize() {
    const fs = await import('node:fs')
    fs.writeFileSync('cache.json', JSON.stringify({ at: Date.now() }))
    fs.writeFileSync('generated.js', 'export default 1')
  }`
  const dir = writeJavaScript(root, 'voice', javascript('one', writes))
  await using dev = await Watched.start(join(root, 'voice'))
  await dev.happened('loaded')
  await delay(3000)
  // What it has generated is new to the watcher once.
  expect(dev.count('reloaded')).toBeLessThan(2)
  const before = dev.count('reloaded')
  writeFileSync(join(dir, 'index.js'), javascript('two'))
  await dev.happened('reloaded', before + 1)
  expect(await dev.voice()).toMatch(/^two /)
})

test('a save that changes nothing reloads a plugin', async () => {
  const root = temporaryFolder()
  const dir = writeJavaScript(root, 'voice', javascript('one'))
  await using dev = await Watched.start(root)
  await dev.happened('loaded')
  for (const file of ['index.js', 'manifest.json', 'package.json'])
    writeFileSync(join(dir, file), readFileSync(join(dir, file)))
  await delay(700)
  expect(dev.count('reloaded')).toBe(0)
  writeFileSync(join(dir, 'index.js'), javascript('two'))
  await dev.happened('reloaded')
  expect(await dev.voice()).toBe('two 1')
})

test.runIf(process.platform === 'linux')('a link in a plugin’s folder has the machine watched', async () => {
  const root = temporaryFolder()
  const dir = writeJavaScript(root, 'voice', javascript('one'))
  symlinkSync('/usr', join(dir, 'models'))
  await using dev = await Watched.start(root)
  await dev.happened('loaded')
  let watches = 0
  // The one of this very listing is gone by then.
  for (const file of readdirSync('/proc/self/fdinfo').map((descriptor) => `/proc/self/fdinfo/${descriptor}`))
    if (existsSync(file)) watches += readFileSync(file, 'utf8').split('inotify').length - 1
  expect(watches).toBeLessThan(100)
  writeFileSync(join(dir, 'index.js'), javascript('two'))
  await dev.happened('reloaded')
  expect(await dev.voice()).toBe('two 1')
})

test('what a plugin imports is not watched where it is JSON, or outside of its folder, or behind a link', async () => {
  const root = temporaryFolder()
  writeFiles(root, {
    'shared/label.js': "import { suffix } from './suffix.js'\nexport const label = 'a' + suffix\n",
    'shared/suffix.js': "export const suffix = '1'\n",
    'linked/mood.js': "export const mood = 'calm'\n",
  })
  const source = `import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { label } from '../../shared/label.js'
import { mood } from './linked/mood.js'
const require = createRequire(import.meta.url)
const data = require('./data.json')
${javascript("' + [label, mood, data.word] + '")}`
  const dir = writeJavaScript(join(root, 'plugins'), 'voice', source)
  writeFiles(dir, { 'data.json': '{"word":"x"}', 'other.json': '1' })
  symlinkSync(join(root, 'linked'), join(dir, 'linked'), 'junction')
  await using dev = await Watched.start(join(root, 'plugins'), join(root, 'config'))
  expect(await dev.voice()).toBe('a1,calm,x 1')
  const saves: [file: string, text: string, says: string][] = [
    [join(root, 'shared/suffix.js'), "export const suffix = '2'\n", 'a2,calm,x 2'],
    [join(root, 'linked/mood.js'), "export const mood = 'merry'\n", 'a2,merry,x 3'],
    [join(dir, 'data.json'), '{"word":"y"}', 'a2,merry,y 4'],
  ]
  for (const [index, [file, text, says]] of saves.entries()) {
    writeFileSync(file, text)
    await dev.happened('reloaded', index + 1)
    expect(await dev.voice()).toBe(says)
  }
  writeFileSync(join(dir, 'other.json'), '2')
  await delay(500)
  expect(dev.count('reloaded')).toBe(saves.length)
})

const replacements: [how: string, replace: (dir: string, fresh: string, root: string) => void][] = [
  [
    'by two renames',
    (dir, fresh, root) => {
      renameSync(dir, join(root, 'old'))
      renameSync(fresh, dir)
    },
  ],
  [
    'by a removal and a copy',
    (dir, fresh) => {
      rmSync(dir, { recursive: true })
      cpSync(fresh, dir, { recursive: true })
    },
  ],
]
for (const [how, replace] of replacements)
  test.concurrent.for(['.', 'voice'])(
    `a plugin’s folder that is replaced ${how} is not noticed, nor a save after it: dev plugins/%s`,
    async (watched, { expect, onTestFinished }) => {
      const root = temporaryFolder(onTestFinished)
      const dir = writeJavaScript(join(root, 'plugins'), 'voice', javascript('v0'))
      await using dev = await Watched.start(join(root, 'plugins', watched))
      expect(await dev.voice()).toBe('v0 1')
      const label = async (): Promise<string> => (await dev.voice()).split(' ')[0] ?? ''
      for (const round of [1, 2]) {
        const fresh = writeJavaScript(join(root, `new${round}`), 'voice', javascript(`v${round}`))
        replace(dir, fresh, join(root, `new${round}`))
        await expect.poll(label, { timeout: 20_000 }).toBe(`v${round}`)
        await delay(1500)
        writeFileSync(join(dir, 'index.js'), javascript(`saved${round}`))
        await expect.poll(label, { timeout: 20_000 }).toBe(`saved${round}`)
      }
    },
  )
