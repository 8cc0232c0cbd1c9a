import { once } from 'node:events'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { encodeWav } from '@appfactory/sdk'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Registry, startRegistry } from '../../../scripts/lib/registry.mjs'
import type { Contract } from '../src/answers.js'
import { User } from './user.js'

const root = realpathSync(mkdtempSync(join(tmpdir(), 'appfactory-e2e-')))
let registry: Registry
const times: string[] = []

beforeAll(async () => {
  registry = await startRegistry(join(root, 'packed'))
})

afterAll(() => {
  registry?.close()
  rmSync(root, { recursive: true, force: true, maxRetries: 3 })
  process.stdout.write(`${times.join('\n')}\n`)
})

/** A call as somebody types it, and what must come back. */
const calls: Record<Contract, { args: string[]; answer: RegExp }> = {
  tts: {
    args: ['synthesize', '--args', '{"text":"Hello"}', '--out', 'hello.wav'],
    answer: /"format": ?"wav"/,
  },
  stt: { args: ['transcribe', '--file', 'audio=samples/sos.wav'], answer: /"text": "sos"/ },
  llm: { args: ['complete', '--args', '{"prompt":"A plugin","seed":1}'], answer: /"text": " \w.*\."/ },
  embedding: { args: ['embed', '--args', '{"texts":["Hello"]}'], answer: /"embeddings"/ },
  custom: { args: ['embed', '--args', '{"texts":["Hello"]}'], answer: /"vectors"/ },
}

/** The same to a host that goes on. */
const requests: Record<Contract, { method: string; params: object }> = {
  tts: { method: 'tts/get_voices', params: {} },
  stt: { method: 'stt/get_languages', params: {} },
  llm: { method: 'llm/complete', params: { prompt: 'A plugin', seed: 1 } },
  embedding: { method: 'embedding/embed', params: { texts: ['x'] } },
  custom: {
    method: 'plugin/call',
    params: { plugin: 'my_custom_plugin', method: 'embed', args: { texts: ['x'] } },
  },
}

const elsewhereName = 'elsewhere'

/** Packs a plugin, and adds the package to another folder of plugins, as one does who only uses it. */
async function packInto(user: User, name: string): Promise<void> {
  await user.npm(['pack'], name)
  const added = ['appfactory-host', 'add', `${name}-0.1.0.tgz`, '--plugins-dir', `../${elsewhereName}`]
  expect(await user.npx(['--no', ...added, '--json'], name)).toMatch(/"integrity": "sha512-/)
  const folder = join(user.folder, elsewhereName, name)
  const packed = readdirSync(folder)
  expect(packed).not.toContain('test')
  const { entry_point: entry }: { entry_point: string } = JSON.parse(
    readFileSync(join(folder, 'manifest.json'), 'utf8'),
  )
  expect(packed).toContain(dirname(entry))
  expect(readdirSync(join(folder, 'node_modules'))).not.toContain('vitest')
}

/** The arguments with which VS Code starts `dev`, but for a port that only one has. */
function debugArguments(user: User, name: string): string[] {
  const { configurations }: { configurations: { name: string; program?: string; args?: string[] }[] } =
    JSON.parse(readFileSync(join(user.folder, name, '.vscode/launch.json'), 'utf8'))
  for (const { program } of configurations)
    if (program !== undefined)
      expect(existsSync(program.replace(/^\$\{workspaceFolder\}/, join(user.folder, name)))).toBe(true)
  const args = configurations.find((one) => one.name === 'Plugin')?.args ?? []
  return args.map((arg) => (arg === '9229' ? '0' : arg))
}

/** Resolves once `dev` has said so. */
async function told(events: Interface, type: string): Promise<void> {
  for (;;) {
    const [line] = await once(events, 'line')
    if (line.startsWith('{') && JSON.parse(line).type === type) return
  }
}

/** Each contract, in one language or the other; each language with pnpm, too. */
const matrix = [
  { manager: 'npm', contract: 'tts', language: 'javascript' },
  { manager: 'npm', contract: 'stt', language: 'typescript' },
  { manager: 'npm', contract: 'llm', language: 'javascript' },
  { manager: 'npm', contract: 'custom', language: 'typescript' },
  { manager: 'pnpm', contract: 'tts', language: 'typescript' },
  { manager: 'pnpm', contract: 'embedding', language: 'javascript' },
] as const

describe.each(matrix)('with $manager: $contract in $language', ({ manager, contract, language }) => {
  const name = `my_${contract}_plugin`
  const user = () => {
    const folder = join(root, `${manager}-${contract}-${language}`)
    mkdirSync(folder, { recursive: true })
    return new User(folder, registry.url, join(root, 'caches'))
  }
  const typed = (args: readonly string[]): Promise<string> =>
    manager === 'npm' ? user().npm(args, name) : user().pnpm(args, name)
  const host = (args: readonly string[]): Promise<string> =>
    manager === 'npm'
      ? user().npx(['appfactory-host', ...args], name)
      : user().pnpm(['exec', 'appfactory-host', ...args], name)

  it('is created, installed, checked, tested, built and called', async () => {
    const flags = ['--contract', contract, '--language', language, '--author', 'Tom & "J" \\x', '--yes']
    await timed('create', () =>
      manager === 'npm'
        ? user().npm(['create', 'appfactory-plugin@latest', name, '--', ...flags])
        : user().pnpm(['create', 'appfactory-plugin@latest', name, ...flags]),
    )
    const manifest: unknown = JSON.parse(readFileSync(join(user().folder, name, 'manifest.json'), 'utf8'))
    expect(manifest).toMatchObject({ name, author: 'Tom & "J" \\x' })

    await timed('install', () => typed(['install']))
    await timed('lint', () => typed(['run', 'lint']))
    await timed('typecheck', () => typed(['run', 'typecheck']))
    expect(await timed('test', () => typed(['test']))).toMatch(/Tests +\d+ passed/)
    if (language === 'typescript') await timed('build', () => typed(['run', 'build']))

    const { args, answer } = calls[contract]
    expect(await timed('call', () => host(['call', name, ...args, '--plugins-dir', '..']))).toMatch(answer)
    // The same whoever installed it.
    if (manager === 'npm') await timed('checks', () => host(['test', '.']))
    await timed('dev', swapByAnEdit)
    if (manager === 'npm') {
      await timed('pack', () => packInto(user(), name))
      const elsewhere = ['--plugins-dir', join(user().folder, elsewhereName)]
      expect(await host(['call', name, ...args, ...elsewhere])).toMatch(answer)
    }
  })

  /** Calls the plugin under `dev`, edits its source, and calls it again. */
  async function swapByAnEdit(): Promise<void> {
    const process = user().start('appfactory-host', [...debugArguments(user(), name), '--json'], name)
    const events = createInterface(process.stderr)
    const answers = createInterface(process.stdout)
    const { method, params } = requests[contract]
    const call = async (id: number): Promise<void> => {
      process.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`)
      const [line] = await once(answers, 'line')
      expect(JSON.parse(line)).toMatchObject({ id, result: expect.anything() })
    }
    await told(events, 'debugger')
    await told(events, 'loaded')
    await call(1)
    appendFileSync(
      join(user().folder, name, `src/index.${language === 'typescript' ? 'ts' : 'js'}`),
      '// Saved.\n',
    )
    await told(events, 'reloaded')
    await call(2)
    process.stdin.end()
    expect(await once(process, 'close')).toEqual([0, null])
  }

  async function timed<Result>(step: string, work: () => Promise<Result>): Promise<Result> {
    const start = performance.now()
    const result = await work()
    times.push(`${manager} ${contract} ${language} ${step}: ${Math.round(performance.now() - start)} ms`)
    return result
  }
})

/** An API that speaks a text as long as it is, and a program that repeats what it reads. */
const audio = Buffer.from(encodeWav(new Int16Array(2400), { sampleRate: 24_000 }))
const api = createServer((request, response) => request.resume().on('end', () => response.end(audio)))

beforeAll(async () => {
  api.listen(0, '127.0.0.1')
  await once(api, 'listening')
})
afterAll(() => api.close())

function apiUrl(): string {
  const address = api.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

const others = [
  {
    flags: ['--contract', 'tts', '--engine', 'http'],
    args: calls.tts.args,
    config: () => ({ base_url: apiUrl() }),
    answer: /"duration_ms": ?100\b/,
  },
  {
    flags: ['--contract', 'llm', '--engine', 'command', '--language', 'javascript'],
    args: ['complete', '--args', '{"prompt":"Hello there"}'],
    config: () => ({ command: [process.execPath, '-e', 'process.stdin.pipe(process.stdout)'] }),
    answer: /"text": "Hello there"/,
  },
  { flags: ['--from', 'tts_tone'], args: calls.tts.args, config: () => ({}), answer: calls.tts.answer },
].map((one) => ({ ...one, title: one.flags.join(' ') }))

describe.each(others)('with $title', ({ title, flags, args, config, answer }) => {
  it('is tested, checked, packed, and called elsewhere', async () => {
    const folder = join(root, title.replace(/\W+/g, '-'))
    mkdirSync(folder)
    const user = new User(folder, registry.url, join(root, 'caches'))
    await user.npm(['create', 'appfactory-plugin@latest', 'my_plugin', '--', ...flags, '--yes'])
    await user.npm(['install'], 'my_plugin')
    expect(await user.npm(['test'], 'my_plugin')).toMatch(/Tests +\d+ passed/)
    await user.npm(['run', 'lint'], 'my_plugin')
    await user.npm(['run', 'typecheck'], 'my_plugin')
    await packInto(user, 'my_plugin')
    const elsewhere = ['--plugins-dir', join(folder, elsewhereName), '--config', JSON.stringify(config())]
    const called = ['appfactory-host', 'call', 'my_plugin', ...args, ...elsewhere]
    expect(await user.npx(['--no-install', ...called], 'my_plugin')).toMatch(answer)
  })
})

const pythonPlugins = [
  { contract: 'tts', engine: 'sample' },
  { contract: 'custom', engine: 'command' },
] as const

describe.each(pythonPlugins)('$contract over its $engine in Python', ({ contract, engine }) => {
  it('is created, tested, checked and called, without a step between', async () => {
    const folder = join(root, `python-${contract}-${engine}`)
    mkdirSync(folder)
    const user = new User(folder, registry.url, join(root, 'caches'))
    const flags = ['--contract', contract, '--engine', engine, '--language', 'python', '--yes']
    await user.npm(['create', 'appfactory-plugin@latest', 'my_plugin', '--', ...flags])
    expect(await user.npm(['test'], 'my_plugin')).toMatch(/^=+ \d+ passed/m)
    await user.npm(['run', 'lint'], 'my_plugin')
    await user.npm(['run', 'typecheck'], 'my_plugin')
    if (engine !== 'sample') return
    const { args, answer } = calls[contract]
    const call = ['appfactory-host', 'call', 'my_plugin', ...args, '--plugins-dir', '..']
    expect(await user.npx(['--no-install', ...call], 'my_plugin')).toMatch(answer)
  })
})

/** Of those that the SDK names as peers, with the oldest Node that each runs on. */
describe.each([
  { range: '~3.2.0', node: 20 },
  { range: '^5.0.0', node: 22 },
])('with Vitest $range', ({ range, node }) => {
  it('the checks, the fixtures and the matchers work', async () => {
    const folder = join(root, `vitest-${node}`)
    mkdirSync(folder)
    const user = new User(folder, registry.url, join(root, 'caches'), await binOf(node))
    const flags = ['--contract', 'tts', '--yes']
    await user.npm(['create', 'appfactory-plugin@latest', 'my_plugin', '--', ...flags])
    const file = join(folder, 'my_plugin/package.json')
    const manifest: { devDependencies: Record<string, string> } = JSON.parse(readFileSync(file, 'utf8'))
    Object.assign(manifest.devDependencies, { vitest: range, '@types/node': `^${node}.0.0` })
    writeFileSync(file, JSON.stringify(manifest))
    await user.npm(['install'], 'my_plugin')
    await user.npm(['run', 'typecheck'], 'my_plugin')
    const said = await user.npm(['test'], 'my_plugin')
    expect(said).toMatch(new RegExp(`RUN +v${range.charAt(1)}\\.`))
    expect(said).toMatch(/Tests +\d+ passed/)
  })
})

/** An application, and a plugin without packages of its own. */
const application = {
  'package.json': JSON.stringify({ private: true, type: 'module', jest: { transform: {} } }),
  'plugins/speaker/manifest.json': JSON.stringify({
    ...{ name: 'speaker', version: '1.0.0', contract: 'tts', entry_point: 'index.cjs' },
  }),
  'plugins/speaker/index.cjs': `const { encodeWav, TTSContract } = require('@appfactory/sdk')
module.exports = class Speaker extends TTSContract {
  initialize() {}
  shutdown() {}
  healthCheck() { return { status: this.status } }
  synthesize(text) { return encodeWav(new Float32Array(text.length * 80), { sampleRate: 8000 }) }
  getVoices() { return [{ id: 'one', name: 'One', language: 'en' }] }
}`,
  'host.test.js': `import { PluginHost } from '@appfactory/host'
test('a plugin speaks', async () => {
  const host = new PluginHost({ pluginsDir: 'plugins' })
  try {
    const speaker = await host.load('speaker')
    expect((await speaker.synthesize('Hello there')).durationMs).toBe(110)
    await expect(host.load('spaker')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_FOUND' })
  } finally {
    await host.close()
  }
})`,
  'app.ts': `import { PluginHost } from '@appfactory/host'
import { defineContract, encodeWav, PluginError, TTSContract } from '@appfactory/sdk'
export class Speaker extends TTSContract<{ volume: number }> {
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  async synthesize(text: string) {
    if (text === '') throw new PluginError('TTS_SYNTHESIS_FAILED')
    return encodeWav(new Float32Array(80), { sampleRate: 8000 })
  }
  async getVoices() { return [{ id: 'a', name: 'A', language: 'en' }] }
}
const host = new PluginHost({ pluginsDir: 'plugins' })
host.on('crash', ({ plugin, message }) => console.log(plugin, message))
const speaker = await host.load<Speaker>('speaker')
const { audio, sampleRate } = await speaker.synthesize('Hello', undefined, { signal: AbortSignal.timeout(1000) })
const sum: number = audio.length + sampleRate
for await (const piece of speaker.synthesizeStream('Hello')) console.log(piece.audio.length, sum, defineContract)
await host.close()
`,
}

/** Somebody with the application and these packages. */
async function applicant(name: string, packages: readonly string[]): Promise<User> {
  const folder = join(root, name)
  for (const [path, text] of Object.entries(application)) {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  const user = new User(folder, registry.url, join(root, 'caches'))
  await user.npm(['install', '@appfactory/host', '@appfactory/sdk', ...packages])
  return user
}

/** The lowest ones are those that docs/embedding.md names. */
it.each([
  { typescript: '5.0', skipLibCheck: true, types: ['node'] },
  { typescript: '5.7', skipLibCheck: false, types: ['node'] },
  { typescript: '5.9', skipLibCheck: false, types: [] },
  { typescript: '6', skipLibCheck: false, types: [] },
  { typescript: '7', skipLibCheck: false, types: [] },
])('with TypeScript $typescript an application compiles', async ({ typescript, skipLibCheck, types }) => {
  const user = await applicant(`typescript-${typescript}`, [`typescript@~${typescript}`, '@types/node@20'])
  const compilerOptions = {
    ...{
      target: 'ES2022',
      lib: ['ES2023', 'ESNext.Disposable'],
      module: 'NodeNext',
      strict: true,
      noEmit: true,
    },
    ...{ skipLibCheck, types },
  }
  writeFileSync(
    join(user.folder, 'tsconfig.json'),
    JSON.stringify({
      // The first ones do not know what 5.2 called so.
      compilerOptions: typescript === '5.0' ? { ...compilerOptions, lib: ['ES2022'] } : compilerOptions,
      files: ['app.ts'],
    }),
  )
  expect(await user.npx(['tsc', '--project', '.'])).toBe('')
})

it('under Jest, whose classes are not those of Node, plugins are loaded and called', async () => {
  const user = await applicant('jest', ['jest@30'])
  await user.node(['--experimental-vm-modules', 'node_modules/jest/bin/jest.js'])
})

/** The folder of a Node of at least that version: nothing special where this one will do. */
async function binOf(version: number): Promise<string | undefined> {
  if (Number.parseInt(process.versions.node, 10) >= version) return undefined
  const folder = join(root, `node-${version}`)
  mkdirSync(folder)
  const name = `node-${process.platform}-${process.arch}`
  await new User(folder, registry.url, join(root, 'caches')).npm(['install', `${name}@${version}`])
  return join(folder, 'node_modules', name, 'bin')
}

it('a dry run whose flags npm kept writes nothing and shows the command that works', async () => {
  const folder = join(root, 'swallowed')
  mkdirSync(folder)
  const user = new User(folder, registry.url, join(root, 'caches'))
  const create = ['create', 'appfactory-plugin@latest', 'x']
  const flags = ['--contract', 'tts', '--dry-run']
  // This one is first, for npm would not even fetch the command in a dry run of its own.
  expect(await user.npm([...create, '--', ...flags, '--yes'])).toMatch(/Would write 11 files/)
  await expect(user.npm([...create, ...flags])).rejects.toThrowError(
    /npm create appfactory-plugin@latest x -- --contract tts --dry-run/,
  )
  await expect(user.npm([...create, '--contrat', 'tts', '--dryrun'])).rejects.toThrowError(
    /npm consumed --contrat, --dryrun\.(.|\n)*npm create appfactory-plugin@latest x -- --contract tts --dry-run/,
  )
  expect(readdirSync(folder)).toEqual([])
})
