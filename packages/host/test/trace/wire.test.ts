import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TTSContract } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import { internalsOf, PluginHost } from '../../src/host.js'
import type { WireLine } from '../../src/trace/wire.js'
import { runCommand } from '../fixtures/command.js'
import { temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

interface Message {
  method?: string
  params?: { method?: string; args?: { text?: string }; config?: unknown; value?: unknown }
  result?: { audio_b64?: unknown }
  error?: { code: number }
}

function linesIn(file: string): (WireLine & { message: Message })[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as WireLine & { message: Message })
}

test('every message of every plugin is a line of the file, bounded, with its process and direction', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'one', ttsPlugin())
  writePlugin(root, 'two', ttsPlugin(`async getVoices() { throw new PluginError(1001, 'No voice') }`))
  const traceWire = join(root, 'trace.jsonl')
  // It was there, for everybody to read.
  writeFileSync(traceWire, '', { mode: 0o644 })
  const host = new PluginHost({ pluginsDir: root, configDir: root, traceWire })
  const heard: WireLine[] = []
  const one = await host.load<TTSContract>('one', { config: { key: 'secret' } })
  const end = internalsOf(host).wire.listen((line) => heard.push(line))
  await one.synthesize('x'.repeat(100_000))
  end()
  const two = await host.load<TTSContract>('two')
  await expect(two.getVoices()).rejects.toMatchObject({ codeName: 'TTS_VOICE_NOT_FOUND' })
  const pieces: unknown[] = []
  for await (const piece of one.synthesizeStream('One. Two.')) pieces.push(piece)
  const { details = {} } = await host.health('one')
  await host.close()

  const lines = linesIn(traceWire)
  const sent = lines.filter(({ plugin, direction }) => plugin === 'one' && direction === 'to plugin')
  expect(sent.map(({ message: { method } }) => method)).toEqual(
    expect.arrayContaining(['plugin/handshake', 'plugin/initialize', 'plugin/call', 'plugin/shutdown']),
  )
  expect(sent.find(({ message }) => message.method === 'plugin/initialize')?.message.params?.config).toEqual({
    key: 'secret',
  })
  expect(new Set(sent.map(({ pid }) => pid))).toEqual(new Set([details['pid']]))
  const received = lines.filter(({ direction }) => direction === 'from plugin')
  expect(received.find(({ message }) => message.error)).toMatchObject({
    plugin: 'two',
    message: { error: { code: 1001 } },
  })
  expect(received.filter(({ message }) => message.method === '$/stream')).toHaveLength(pieces.length)
  expect(lines.map(({ time }) => time)).toEqual(lines.map(({ time }) => time).toSorted())
  for (const line of lines) expect(JSON.stringify(line).length).toBeLessThan(65_536)
  if (process.platform !== 'win32') expect(statSync(traceWire).mode & 0o777).toBe(0o600)

  // Who listened heard what passed meanwhile, and nothing else.
  const calls = heard.filter(({ message }) => !/ping/.test(JSON.stringify(message)))
  expect(calls[0]).toMatchObject({
    direction: 'to plugin',
    message: { params: { args: { text: expect.stringMatching(/^x{2000}… \(100000 characters\)$/) } } },
  })
  const answer = calls.find(({ message }) => 'result' in (message as object))
  expect(answer).toMatchObject({
    plugin: 'one',
    direction: 'from plugin',
    message: { result: { audio_b64: { bytes: 32_000_044 } } },
  })
  expect(heard.every(({ plugin }) => plugin === 'one')).toBe(true)
})

test.for<[string, string, RegExp]>([
  ['a folder that is not there', 'no/trace.jsonl', /ENOENT|no such/],
  ['a folder', '.', /it is no file/],
])('a trace to %s is refused with the option, the file and the reason', ([, path, reason]) => {
  const root = temporaryFolder()
  const traceWire = join(root, path)
  const open = (): PluginHost => new PluginHost({ pluginsDir: root, traceWire })
  expect(open).toThrow(TypeError)
  expect(open).toThrow(/^traceWire: /)
  expect(open).toThrow(reason)
})

test('--trace-wire writes what one call said, behind what was there', async () => {
  const root = temporaryFolder()
  writePlugin(join(root, 'plugins'), 'one', ttsPlugin())
  writeFileSync(join(root, 'trace.jsonl'), '{"plugin":"before"}\n')
  const { status } = await runCommand(root, 'call', 'one', 'get_voices', '--trace-wire', 'trace.jsonl')
  expect(status).toBe(0)
  const lines = linesIn(join(root, 'trace.jsonl'))
  expect(lines[0]?.plugin).toBe('before')
  expect(lines.some(({ message }) => message?.params?.method === 'get_voices')).toBe(true)
})
