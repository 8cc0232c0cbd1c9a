import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sniffAudio } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import { runCommand as run } from '../fixtures/command.js'
import { temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

const counter = `
import { LLMContract } from '@appfactory/sdk'
export default class extends LLMContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  async complete(prompt) { return prompt }
  async chat(messages) { return messages[0] }
  async getModels() { return [] }
  async *streamComplete(prompt) { yield* prompt.split(/(?= )/) }
}
`

function folder(): string {
  const root = temporaryFolder()
  writePlugin(join(root, 'plugins'), 'speaker', ttsPlugin(), { description: 'Speaks' })
  writePlugin(join(root, 'plugins'), 'counter', counter, { contract: 'llm' })
  writePlugin(join(root, 'broken'), 'broken', ttsPlugin(), { version: 'x', colour: 1 })
  return root
}

test('list shows what is there, valid or not, for people and for programs', async () => {
  const root = folder()
  const people = await run(root, 'list', '--plugins-dir', 'plugins', '--plugins-dir', 'broken')
  expect(people).toMatchObject({ status: 0, stderr: '' })
  expect(people.stdout).toMatch(/^NAME +VERSION +CONTRACT +STATE +FROM +DESCRIPTION\n/)
  expect(people.stdout).toMatch(/^speaker\s+1\.0\.0\s+tts\s+valid\s+–\s+Speaks$/m)
  expect(people.stdout).toMatch(/^broken +– +– +invalid +–\n {4}version: /m)
  const { stdout } = await run(root, 'list', '--json', '--plugins-dir', 'plugins')
  expect((JSON.parse(stdout) as { name: string }[]).map(({ name }) => name)).toEqual(['counter', 'speaker'])
})

test('validate says what is wrong and where, and its exit status tells', async () => {
  const root = folder()
  expect(await run(root, 'validate', 'plugins/speaker')).toEqual({
    status: 0,
    stdout: 'speaker: valid\n',
    stderr: '',
  })
  const broken = await run(root, 'validate', 'broken/broken')
  expect(broken.status).toBe(1)
  expect(broken.stdout).toMatch(/error\s+broken\/manifest\.json: version: /)
  expect(broken.stdout).toMatch(/warning\s+broken\/manifest\.json: colour: /)
  const { stdout, status } = await run(root, 'validate', 'plugins', '--json')
  expect(status).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject([
    { name: 'counter', valid: true },
    { name: 'speaker', valid: true, errors: [] },
  ])
  expect(await run(root, 'validate', 'nowhere')).toMatchObject({
    status: 2,
    stdout: '',
    stderr: expect.stringContaining('not a folder'),
  })
})

test('call prints a result, or saves its bytes', async () => {
  const root = folder()
  const spoken = await run(
    root,
    'call',
    'speaker',
    'synthesize',
    '--args',
    '{"text":"Hello"}',
    '--out',
    'hello.wav',
  )
  expect(spoken).toMatchObject({ status: 0, stdout: expect.stringContaining('saved to hello.wav') })
  expect(sniffAudio(readFileSync(join(root, 'hello.wav')))).toMatchObject({ format: 'wav', durationMs: 50 })
  const shown = await run(root, 'call', 'speaker', 'synthesize', '--args', '{"text":"Hello"}')
  expect(JSON.parse(shown.stdout)).toMatchObject({
    audio_b64: expect.stringContaining('1644 bytes'),
    sample_rate: 16_000,
  })
  const json = await run(root, 'call', 'speaker', 'synthesize', '--args', '{"text":"Hello"}', '--json')
  expect(Buffer.from((JSON.parse(json.stdout) as { audio_b64: string }).audio_b64, 'base64').length).toBe(
    1644,
  )
  const streamed = await run(
    root,
    'call',
    'counter',
    'stream_complete',
    '--args',
    '{"prompt":"one two three"}',
  )
  expect(streamed.stdout).toBe('one two three\n')
  const pieces = await run(
    root,
    'call',
    'counter',
    'stream_complete',
    '--json',
    '--args',
    '{"prompt":"one two"}',
  )
  expect(
    pieces.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual([{ text: 'one' }, { text: ' two' }])
})

test('call takes bytes from a file and a configuration', async () => {
  const root = folder()
  const listener = `
import { STTContract } from '@appfactory/sdk'
export default class extends STTContract {
  async initialize({ unit }) { this.unit = unit }
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  async transcribe(audio) { return audio.length + ' ' + this.unit }
  async getLanguages() { return [] }
}`
  writePlugin(join(root, 'plugins'), 'listener', listener, { contract: 'stt' })
  writeFileSync(join(root, 'noise.raw'), Buffer.alloc(123))
  const { stdout } = await run(
    root,
    'call',
    'listener',
    'transcribe',
    '--file',
    'audio=noise.raw',
    '--config',
    '{"unit":"bytes"}',
    '--json',
  )
  expect(JSON.parse(stdout)).toEqual({ text: '123 bytes' })
})

test('failures have exit status 1, bad usage 2; both say what to do, as JSON too', async () => {
  const root = folder()
  const cases: { args: string[]; status: number; says: RegExp }[] = [
    { args: ['call', 'speeker', 'synthesize'], status: 1, says: /PLUGIN_NOT_FOUND/ },
    { args: ['call', 'speaker', 'synthesize'], status: 1, says: /text: is required.*INVALID_PARAMS/ },
    { args: ['call', 'speaker', 'sing'], status: 1, says: /METHOD_NOT_FOUND/ },
    { args: ['call', 'speaker'], status: 2, says: /<method> is missing/ },
    { args: ['call', 'speaker', 'synthesize', '--args', '{text}'], status: 2, says: /--args is not JSON/ },
    { args: ['call', 'speaker', 'synthesize', '--args', '[]'], status: 2, says: /JSON object/ },
    { args: ['call', 'speaker', 'synthesize', '--file', 'audio'], status: 2, says: /ARG=PATH/ },
    { args: ['lisst'], status: 2, says: /Did you mean list/ },
    { args: ['list', '--metrics-port', '1'], status: 2, says: /list does not take --metrics-port/ },
    { args: ['--plugin-dir', 'x'], status: 2, says: /option --plugin-dir\. Did you mean --plugins-dir/ },
    { args: ['--log-level', 'LOUD'], status: 2, says: /DEBUG/ },
    { args: ['--log-dir'], status: 2, says: /--log-dir needs a value/ },
    { args: ['call', 'speaker', 'sing', '--config', '[]'], status: 2, says: /such as --config '{"/ },
  ]
  for (const { args, status, says } of cases) {
    const outcome = await run(root, ...args)
    expect([args, outcome.status, outcome.stdout]).toEqual([args, status, ''])
    expect(outcome.stderr).toMatch(says)
  }
  const json = await run(root, 'call', 'speaker', 'synthesize', '--json')
  expect(json.status).toBe(1)
  expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: -32602 } })
})

test('help and version are for people; list and validate leave no folder behind', async () => {
  const root = folder()
  const help = await run(root, '--help')
  expect(help.stdout).toMatch(/--plugins-dir[\s\S]*--sync-mode[\s\S]*Exit code/)
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  expect((await run(root, '--version')).stdout).toBe(`${version}\n`)
  await run(root, 'list')
  await run(root, 'validate', 'plugins')
  expect(existsSync(join(root, 'logs'))).toBe(false)
})
