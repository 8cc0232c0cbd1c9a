import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { LinesProcess } from '../../../sdk/test/lines-process.js'
import { PluginHost } from '../../src/index.js'
import { runCommand } from '../fixtures/command.js'
import { temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

const command = fileURLToPath(new URL('../../bin/appfactory-host.js', import.meta.url))

/** Its method `getVoices` stands on a line of its own. */
const source = (label: string): string =>
  ttsPlugin(`async getVoices() {
    const name = '${label}'
    return [{ id: 'a', name, language: 'en' }]
  }`)

const lineOf = (text: string): number =>
  source('one')
    .split('\n')
    .findIndex((line) => line.includes(text)) + 1

/** Node's own debugger, attached to a port of 127.0.0.1. */
class Debugger {
  said = ''
  readonly #process

  constructor(port: number) {
    this.#process = spawn(process.execPath, ['inspect', `127.0.0.1:${port}`], { stdio: 'pipe' })
    onTestFinished(() => void this.#process.kill('SIGKILL'))
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.said += text
      })
  }

  async type(line: string, answer: RegExp): Promise<void> {
    const before = this.said.length
    this.#process.stdin.write(`${line}\n`)
    await this.says(answer, before)
  }

  async says(text: RegExp, from = 0): Promise<void> {
    await expect.poll(() => this.said.slice(from), { interval: 20 }).toMatch(text)
  }

  leave(): void {
    this.#process.stdin.write('.exit\n')
  }
}

interface Told {
  type: string
  url?: string
  port?: number
  message?: string
}

function toldBy(dev: LinesProcess): Told[] {
  return dev.stderr
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Told)
}

test('a debugger attaches, stops a call at a breakpoint, and finds the plugin again after a reload', async () => {
  const dir = writePlugin(temporaryFolder(), 'voice', source('one'))
  const dev = new LinesProcess(command, ['dev', '.', '--inspect', '--inspect-port', '0', '--json'], {
    cwd: dir,
  })
  const opened = (): Told[] => toldBy(dev).filter(({ type }) => type === 'debugger')
  const voices = (): Promise<unknown> =>
    dev.result('plugin/call', { plugin: 'voice', method: 'get_voices', timeout: 300 })
  await expect.poll(() => opened().length).toBe(1)
  const { port = 0, url = '' } = opened()[0] ?? {}
  expect(url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/[\w-]+$/)
  await expect.poll(() => toldBy(dev).some(({ type }) => type === 'loaded')).toBe(true)
  expect(await voices()).toMatchObject([{ name: 'one' }])

  const first = new Debugger(port)
  await first.says(/ ok\ndebug> /)
  await first.type(`setBreakpoint('voice/index.js', ${lineOf('const name')})`, /debug> /)
  let answered: unknown
  const answer = voices().then((result) => {
    answered = result
  })
  await first.says(/break in .*index\.js:\d+/)
  await first.type("exec('this.constructor.name')", /'Speaker'/)
  // Its own timeout has passed.
  await delay(400)
  expect(answered).toBeUndefined()
  await first.type('cont', /debug> /)
  await answer
  expect(answered).toMatchObject([{ name: 'one' }])
  first.leave()

  writeFileSync(join(dir, 'index.js'), source('two'))
  await expect.poll(() => toldBy(dev).some(({ type }) => type === 'reloaded')).toBe(true)
  expect(opened().map((one) => one.port)).toEqual([port, port])
  const second = new Debugger(port)
  await second.says(/ ok\ndebug> /)
  await second.type(`setBreakpoint('voice/index.js', ${lineOf('const name')})`, /debug> /)
  const changed = voices()
  await second.says(/break in .*index\.js:\d+/)
  await second.type('cont', /debug> /)
  expect(await changed).toMatchObject([{ name: 'two' }])
  second.leave()
  // What Node says about its debugger is not the plugin's log.
  expect(toldBy(dev).filter(({ type }) => type === 'log')).toEqual([])
  expect(await dev.finish()).toMatchObject({ code: 0 })
})

test('with --inspect-brk a plugin waits for its debugger before any of its code runs', async () => {
  const dir = writePlugin(temporaryFolder(), 'voice', `console.error('runs')\n${source('one')}`)
  const dev = new LinesProcess(command, ['dev', dir, '--inspect-brk', '--json'])
  await expect.poll(() => toldBy(dev).find(({ type }) => type === 'debugger')?.url).toBeDefined()
  const port = Number(new URL(toldBy(dev).find(({ type }) => type === 'debugger')?.url ?? '').port)
  const own = new Debugger(port)
  await own.says(/Break on start/)
  expect(toldBy(dev).some(({ message }) => message === 'runs')).toBe(false)
  await own.type('cont', /debug> /)
  await expect.poll(() => toldBy(dev).some(({ type }) => type === 'loaded')).toBe(true)
  own.leave()
  expect(await dev.finish()).toMatchObject({ code: 0 })
})

test('only plugins that are named have a debugger, and none with permissions: its log says why', async () => {
  const root = temporaryFolder()
  writePlugin(
    root,
    'limited',
    ttsPlugin(`async getVoices() {
    const { readFileSync } = await import('node:fs')
    const inspector = await import('node:inspector')
    const open = inspector.url() ?? 'none'
    try { readFileSync('${join(root, 'secret')}'); return [] } catch (error) { return [{ id: 'a', name: error.code + ' ' + open, language: 'en' }] }
  }`),
    { permissions: [] },
  )
  writeFileSync(join(root, 'secret'), 'x')
  const address = `async getVoices() {
    const { url } = await import('node:inspector')
    return [{ id: 'a', name: url() ?? 'none', language: 'en' }]
  }`
  writePlugin(root, 'named', ttsPlugin(address))
  writePlugin(root, 'other', ttsPlugin(address))
  await using host = new PluginHost({ pluginsDir: root, inspect: { limited: true, named: true } })
  const log: string[] = []
  host.on('log', ({ message }) => log.push(message))
  await host.load('limited')
  expect(await host.call('limited', 'get_voices')).toMatchObject([{ name: 'ERR_ACCESS_DENIED none' }])
  expect(log.join('\n')).toMatch(/no debugger.*permissions/)
  await Promise.all([host.load('named'), host.load('other')])
  expect(await host.call('named', 'get_voices')).toMatchObject([{ name: expect.stringMatching(/^ws:/) }])
  expect(await host.call('other', 'get_voices')).toMatchObject([{ name: 'none' }])
})

test('options that do not go together are refused', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'voice', ttsPlugin())
  const cases: [string[], RegExp][] = [
    [['dev', 'voice', '--inspect-port', '9229'], /needs --inspect/],
    [['dev', '.', '--inspect', '--inspect-port', '9229'], /one plugin/],
    [['dev', '.', '--debug-python=voise'], /no plugin "voise" in .*Did you mean voice\?/],
    [['dev', '.', '--inspect-brk=voise'], /no plugin "voise" in .*Did you mean voice\?/],
    [['dev', 'voice', '--inspect', '--inspect-port', '70000'], /--inspect-port must be/],
  ]
  await Promise.all(
    cases.map(async ([args, message]) =>
      expect(await runCommand(root, ...args)).toMatchObject({
        status: 2,
        stderr: expect.stringMatching(message),
      }),
    ),
  )
})
