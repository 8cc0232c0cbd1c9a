import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TTSContract } from '@appfactory/sdk'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { LinesProcess } from '../../../sdk/test/lines-process.js'
import { pythonWith } from '../../../sdk/test/python/environment.js'
import { PluginHost } from '../../src/index.js'
import { temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'
import { writePythonPlugin } from '../fixtures/python-plugin.js'
import { findTestPython } from '../python-for-tests.js'

const command = fileURLToPath(new URL('../../bin/appfactory-host.js', import.meta.url))
const python = pythonWith('debugpy')

const source = `
print("imports")
from contracts.tts_contract import TTSContract

class Speaker(TTSContract):
    async def initialize(self, config):
        return True
    async def shutdown(self):
        return True
    def health_check(self):
        return HealthStatus(status=PluginStatus.READY)
    async def synthesize(self, text, voice_id=None):
        return b"RIFF"
    async def get_voices(self):
        name = "stopped"
        return [{"id": "a", "name": name, "language": "en"}]
`
const lineOf = (text: string): number => source.split('\n').findIndex((line) => line.includes(text)) + 1

interface Message {
  type: string
  event?: string
  request_seq?: number
  success?: boolean
  body?: Record<string, unknown>
}

/** A debugger, as editors are: the Debug Adapter Protocol over TCP. */
class Debugger {
  readonly messages: Message[] = []
  readonly #socket: Socket
  #rest = Buffer.alloc(0)
  #last = 0

  private constructor(socket: Socket) {
    this.#socket = socket.on('data', (part) => this.#receive(part))
    onTestFinished(() => void socket.destroy())
  }

  /** Attaches to a port of 127.0.0.1, with a breakpoint at a line. */
  static async attach(port: number, path: string, line: number): Promise<Debugger> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const self = new Debugger(socket)
    await self.ask('initialize', { adapterID: 'test', pathFormat: 'path' })
    const attached = self.ask('attach', { justMyCode: true })
    await self.hears('initialized')
    await self.ask('setBreakpoints', { source: { path }, breakpoints: [{ line }] })
    await self.ask('configurationDone', {})
    await attached
    return self
  }

  async ask(name: string, args: object): Promise<Record<string, unknown>> {
    this.#last += 1
    const seq = this.#last
    const content = JSON.stringify({ seq, type: 'request', command: name, arguments: args })
    this.#socket.write(`Content-Length: ${Buffer.byteLength(content)}\r\n\r\n${content}`)
    const answer = await this.#find((message) => message.request_seq === seq)
    expect(answer, name).toMatchObject({ success: true })
    return answer.body ?? {}
  }

  async hears(event: string): Promise<Record<string, unknown>> {
    return (await this.#find((message) => message.event === event)).body ?? {}
  }

  async #find(fits: (message: Message) => boolean): Promise<Message> {
    await expect.poll(() => this.messages.some(fits), { interval: 10 }).toBe(true)
    return this.messages.find(fits) as Message
  }

  #receive(part: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, part])
    for (;;) {
      const head = /^Content-Length: (\d+)\r\n\r\n/.exec(this.#rest.toString('latin1'))
      if (!head) return
      const end = head[0].length + Number(head[1])
      if (this.#rest.length < end) return
      this.messages.push(JSON.parse(this.#rest.toString('utf8', head[0].length, end)) as Message)
      this.#rest = this.#rest.subarray(end)
    }
  }
}

interface Told {
  type: string
  url?: string
  port?: number
  message?: string
}

const toldBy = (dev: LinesProcess): Told[] =>
  dev.stderr
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Told)

function hostOf(root: string, options: object): { host: PluginHost; log: string[] } {
  const host = new PluginHost({ pluginsDir: root, ...options })
  onTestFinished(() => host.close())
  const log: string[] = []
  host.on('log', ({ plugin, message }) => log.push(`${plugin}: ${message}`))
  return { host, log }
}

describe.skipIf(python === undefined)('the debugger of Python (skipped without Python 3.9 or newer)', () => {
  test('attaches, and stops a call at a breakpoint for as long as it wants', async () => {
    vi.stubEnv('AF_PYTHON', python ?? '')
    const dir = writePythonPlugin(temporaryFolder(), 'speaker', source)
    const dev = new LinesProcess(command, ['dev', '.', '--debug-python', '--inspect-port', '0', '--json'], {
      cwd: dir,
    })
    await expect.poll(() => toldBy(dev).some(({ type }) => type === 'loaded')).toBe(true)
    const { port = 0, url = '' } = toldBy(dev).find(({ type }) => type === 'debugger') ?? {}
    expect(url).toMatch(/^127\.0\.0\.1:\d+$/)
    const own = await Debugger.attach(port, join(dir, 'main.py'), lineOf('return [{'))
    let answered: unknown
    const answer = dev
      .result('plugin/call', { plugin: 'speaker', method: 'get_voices', timeout: 100 })
      .then((result) => {
        answered = result
      })
    const { threadId } = await own.hears('stopped')
    const { stackFrames } = await own.ask('stackTrace', { threadId, levels: 1 })
    expect(stackFrames).toMatchObject([{ name: 'get_voices', line: lineOf('return [{') }])
    const [{ id: frameId }] = stackFrames as [{ id: number }]
    await own.ask('setVariable', {
      variablesReference: await localsOf(own, frameId),
      name: 'name',
      value: '"changed"',
    })
    expect(answered).toBeUndefined()
    await own.ask('continue', { threadId })
    await answer
    expect(answered).toMatchObject([{ name: 'changed' }])
    expect(await dev.finish()).toMatchObject({ code: 0 })
  })

  test('is waited for before the plugin is imported, and says how to be installed', async () => {
    const root = temporaryFolder()
    const dir = writePythonPlugin(root, 'speaker', source)
    writePlugin(root, 'other', ttsPlugin())
    vi.stubEnv('AF_PYTHON', python ?? '')
    const { host, log } = hostOf(root, { inspect: { speaker: 'break' } })
    const loaded = host.load<TTSContract>('speaker')
    await expect.poll(() => log.join('\n')).toMatch(/Debugger listening on 127\.0\.0\.1:\d+/)
    const port = Number(/listening on 127\.0\.0\.1:(\d+)/.exec(log.join('\n'))?.[1])
    const own = await Debugger.attach(port, join(dir, 'main.py'), lineOf('imports'))
    const { threadId } = await own.hears('stopped')
    expect(log).not.toContain('speaker: imports')
    await own.ask('continue', { threadId })
    await loaded
    await expect.poll(() => log).toContain('speaker: imports')

    vi.stubEnv('AF_PYTHON', findTestPython() ?? '')
    const second = hostOf(root, { inspect: 'python' })
    await expect(second.host.load('speaker')).rejects.toMatchObject({
      codeName: 'DEPENDENCY_MISSING',
      message: expect.stringMatching(/no debugger: .*Install it: ".*python.*" -m pip install debugpy/),
    })
    // Node's debugger is not asked for.
    await second.host.load('other')
    expect(second.log.join('\n')).not.toMatch(/Debugger listening/)
  })
})

async function localsOf(own: Debugger, frameId: number): Promise<number> {
  const { scopes } = await own.ask('scopes', { frameId })
  const [{ variablesReference }] = scopes as [{ variablesReference: number }]
  return variablesReference
}
