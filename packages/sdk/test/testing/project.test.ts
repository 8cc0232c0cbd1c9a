// What an author sees: vitest in a project of its own.
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { tempDir } from '../temp-dir.js'

const packageOf = (name: string): string =>
  dirname(fileURLToPath(import.meta.resolve(`${name}/package.json`)))

interface Report {
  assertionResults: { title: string; status: string; failureMessages: string[]; meta: object }[]
}

/** Runs `test.js` in a project with a plugin in `index.js`; returns what vitest says of each test, by title. */
async function runProject(testFile: string, packages: readonly string[] = [], flags: readonly string[] = []) {
  const dir = join(
    tempDir({
      'speaker/test.test.js': testFile,
      'speaker/index.js': plugin,
      'speaker/package.json': '{"type":"module"}',
      'speaker/vitest.config.js': 'export default {}',
      'ears/index.js': ears,
      'ears/manifest.json': '{"name":"ears","version":"1.0.0","contract":"stt","entry_point":"index.js"}',
      'ears/package.json': '{"type":"module"}',
      'speaker/manifest.json': JSON.stringify({
        name: 'speaker',
        version: '1.0.0',
        contract: 'tts',
        capabilities: ['streaming', 'speed'],
        entry_point: 'index.js',
      }),
    }),
    'speaker',
  )
  mkdirSync(join(dir, 'node_modules/@appfactory'), { recursive: true })
  for (const name of ['vitest', '@appfactory/sdk', ...packages])
    symlinkSync(packageOf(name), join(dir, 'node_modules', name))
  const cli = join(packageOf('vitest'), 'vitest.mjs')
  const args = [cli, 'run', '--reporter=json', '--outputFile=report.json', '--reporter=verbose', ...flags]
  const output = await new Promise<string>((resolve) => {
    // A package manager's NODE_PATH would lead out of the project.
    const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined, NODE_PATH: undefined }
    execFile(process.execPath, args, { cwd: dir, env, timeout: 50_000 }, (_, stdout, stderr) =>
      resolve(stdout + stderr),
    )
  })
  const report = JSON.parse(readFileSync(join(dir, 'report.json'), 'utf8')) as { testResults: Report[] }
  return { results: report.testResults.flatMap(({ assertionResults }) => assertionResults), output }
}

const plugin = `
import { encodeWav, TTSContract } from '@appfactory/sdk'
export default class Speaker extends TTSContract {
  initialize() {}
  shutdown() {}
  healthCheck() { return { status: this.status } }
  synthesize(text) { return encodeWav(new Int16Array(text.length * 80).fill(9), { sampleRate: 8000 }) }
  getVoices() { return [{ id: 'a', name: 'A', language: 'en' }] }
}`

const ears = `
import { STTContract } from '@appfactory/sdk'
export default class Ears extends STTContract {
  initialize() {}
  shutdown() {}
  healthCheck() { return { status: this.status } }
  transcribe(audio) { return { text: audio.length + ' bytes, the last one ' + audio.at(-1), language: 'en' } }
  getLanguages() { return [{ code: 'en', name: 'English' }] }
}`

test('a check that fails is a red test with its reason, one that is skipped says why', async () => {
  const { results, output } = await runProject(`
import { checkContract } from '@appfactory/sdk/testing/vitest'
import Speaker from './index.js'
class Broken extends Speaker {
  healthCheck() { return { status: 'ERROR' } }
}
checkContract(Broken, { only: ['health.*', 'manifest.*', 'state.*', 'tts.synthesize.voice'] })`)
  expect(results.map(({ title, status }) => [title.split(':')[0], status])).toEqual([
    ['health.shape', 'passed'],
    ['health.ready', 'failed'],
    ['manifest.capabilities', 'failed'],
    ['tts.synthesize.voice', 'passed'],
    ['health.during_calls', 'skipped'],
    ['state.round_trip', 'skipped'],
  ])
  expect(results[1]?.failureMessages.join()).toMatch(/right after initialize\(\) it says ERROR/)
  expect(results[2]?.failureMessages.join()).toMatch(/the manifest says streaming/)
  expect(output).toMatch(/not refused: synthesize takes the unknown voice/)
  expect(output).toMatch(/state\.round_trip.*state is not among/)
  expect(output).toMatch(/health\.during_calls.*health\.ready has not passed/)
})

test('the host is found where it is installed; where not, it is said how to', async () => {
  const file = `
import { checkContract, pluginTest } from '@appfactory/sdk/testing/vitest'
import { expect } from 'vitest'
import Speaker from './index.js'
const test = pluginTest({ plugin: Speaker })
test('speaks', async ({ host }) => {
  expect(await host.synthesize('Hello')).toBeWav({ durationMs: 50 })
})
test('speaks here', async ({ plugin }) => {
  expect([plugin.name, plugin.synthesize('Hello')]).toEqual(['speaker', expect.any(Uint8Array)])
})`
  const without = await runProject(file)
  expect(without.results.map(({ status }) => status)).toEqual(['failed', 'passed'])
  expect(without.results[0]?.failureMessages.join()).toMatch(/npm install --save-dev @appfactory\/host/)
  const installed = await runProject(`${file}\ncheckContract(new URL('.', import.meta.url))`, [
    '@appfactory/host',
  ])
  const notPassed = installed.results.filter(
    ({ status, title }) => status !== 'passed' && !title.startsWith('manifest.capabilities'),
  )
  expect(new Set(notPassed.map(({ status }) => status))).toEqual(new Set(['skipped']))
  expect(installed.results.length).toBeGreaterThan(30)
})

test('a plugin that can’t be initialized fails its tests', async () => {
  const { results } = await runProject(`
import { pluginTest } from '@appfactory/sdk/testing/vitest'
import Speaker from './index.js'
class Broken extends Speaker { initialize() { return false } }
pluginTest({ plugin: Broken })('never gets here', ({ plugin }) => {})
class Stuck extends Speaker { shutdown() { throw new Error('stuck') } }
pluginTest({ plugin: Stuck })('ends badly', ({ plugin }) => {})`)
  expect(results.map(({ status }) => status)).toEqual(['failed', 'failed'])
  expect(results[0]?.failureMessages.join()).toMatch(/initialize\(\) returned false/)
  expect(results[1]?.failureMessages.join()).toMatch(/stuck/)
})

test.each(['threads', 'forks', 'vmThreads', 'vmForks'])(
  'with classes of another realm than Node’s own, in the pool %s, plugins load, take and give bytes, and fail with their codes',
  async (pool) => {
    const { results, output } = await runProject(
      `
import { PluginHost } from '@appfactory/host'
import { encodeWav } from '@appfactory/sdk'
import { pluginTest } from '@appfactory/sdk/testing/vitest'
import { expect, onTestFinished, test as plain } from 'vitest'
const test = pluginTest({ plugin: new URL('.', import.meta.url) })
test('in a process', async ({ host }) => {
  expect(await host.synthesize('Hello'.repeat(100))).toBeWav({ durationMs: 5000 })
  const pieces = []
  for await (const piece of host.synthesizeStream('One. Two.')) pieces.push(piece)
  expect(pieces).toHaveLength(2)
})
test('in this process', async ({ plugin, audio }) => {
  expect(await plugin.synthesize('Hello')).toBeWav({ durationMs: 50 })
  expect(audio.wav).toBeWav()
  expect(encodeWav(new Float32Array(800), { sampleRate: 8000 })).toBeWav({ durationMs: 100 })
})
plain('by a host', async () => {
  const host = new PluginHost({ pluginsDir: new URL('..', import.meta.url).pathname })
  onTestFinished(() => host.close())
  await expect(host.load('no_such_plugin')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_FOUND' })
  const ears = await host.load('ears')
  const { text } = await ears.transcribe(new Uint8Array(5000).fill(7))
  expect(text).toBe('5000 bytes, the last one 7')
  await expect(ears.transcribe(new Uint8Array(1))).resolves.toMatchObject({ text: '1 bytes, the last one 0' })
  await expect(host.call('ears', 'transcribe', {})).rejects.toMatchObject({ codeName: 'INVALID_PARAMS' })
  await expect(ears.transcribe(new Uint8Array(2), undefined, { signal: AbortSignal.abort('enough') })).rejects.toMatchObject({
    codeName: 'REQUEST_CANCELLED',
  })
})`,
      ['@appfactory/host'],
      [`--pool=${pool}`],
    )
    expect(
      results.map(({ title, status, failureMessages }) => [title, status, ...failureMessages]),
      output,
    ).toEqual([
      ['in a process', 'passed'],
      ['in this process', 'passed'],
      ['by a host', 'passed'],
    ])
  },
)
