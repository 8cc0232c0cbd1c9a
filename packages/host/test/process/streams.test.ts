import type { TTSContract } from '@appfactory/sdk'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { writePlainPlugin } from '../fixtures/plain-plugin.js'
import { temporaryFolder, ttsPlugin, writeFiles, writePlugin } from '../fixtures/plugins.js'

vi.setConfig({ testTimeout: 60_000 })

/** A host with these plugins, by their names; gone after the test. */
function hostOf(plugins: Record<string, string>, manifest: Record<string, unknown> = {}): PluginHost {
  const root = temporaryFolder()
  for (const [name, source] of Object.entries(plugins)) writePlugin(root, name, source, manifest)
  const host = new PluginHost({ pluginsDir: root, startTimeoutMs: 20_000, callTimeoutMs: 20_000 })
  onTestFinished(() => host.close({ force: true }))
  return host
}

async function speaksTenTimes(host: PluginHost, name: string): Promise<void> {
  const plugin = await host.load<TTSContract>(name)
  const answers = Array.from({ length: 10 }, (_, at) => plugin.synthesize('x'.repeat(at + 1)))
  expect((await Promise.all(answers)).map(({ durationMs }) => durationMs)).toEqual(
    Array.from({ length: 10 }, (_, at) => (at + 1) * 10),
  )
}

/** A child that answers whatever it reads, as the host would like it to. */
const reader = `['-e', "process.stdin.on('data', () => {}).on('end', () => process.exit(7))"]`

describe.skipIf(process.platform === 'win32')('a child that inherits stdin and reads it', () => {
  test('takes no request of a call', async () => {
    const host = hostOf({
      thief: `import { spawn } from 'node:child_process'\n${ttsPlugin(`
        synthesize(text) {
          const child = spawn(process.execPath, ${reader}, { stdio: ['inherit', 'ignore', 'ignore'] })
          return new Promise((resolve, reject) => child.once('exit', (code) =>
            code === 7 ? resolve(super.synthesize(text)) : reject(new Error('exit ' + code))))
        }`)}`,
    })
    await speaksTenTimes(host, 'thief')
  })

  test('takes nothing while the plugin is imported either, also where the import waits for it', async () => {
    const host = hostOf({
      thief: `import { spawn, spawnSync } from 'node:child_process'
        spawn(process.execPath, ${reader}, { stdio: ['inherit', 'ignore', 'ignore'] })
        const { status } = spawnSync(process.execPath, ${reader}, { stdio: ['inherit', 'ignore', 'ignore'] })
        if (status !== 7) throw new Error('its stdin did not end')
        ${ttsPlugin()}`,
    })
    await speaksTenTimes(host, 'thief')
  })

  test('finds it empty in a plugin that may read nothing but itself', async () => {
    const host = hostOf(
      {
        careful: `import { readFileSync } from 'node:fs'\nif (readFileSync(0).length > 0) throw new Error('not empty')\n${ttsPlugin()}`,
      },
      { permissions: [] },
    )
    await speaksTenTimes(host, 'careful')
  })
})

describe('a plugin that uses process.stdin', () => {
  test.each([
    ['closes a readline on it', `createInterface({ input: process.stdin }).close()`],
    ['asks a question', `createInterface({ input: process.stdin }).question('Accept? ', () => {})`],
    ['sets its encoding', `process.stdin.setEncoding('utf8').on('data', () => {})`],
    ['pauses it', `process.stdin.pause()`],
    ['takes all listeners off', `process.stdin.removeAllListeners().resume()`],
    ['destroys it', `process.stdin.destroy()`],
    ['lets it not keep the process alive', `process.stdin.unref(); process.stdin.ref()`],
    ['reads it to its end', `for await (const chunk of process.stdin) throw new Error(String(chunk))`],
  ])('and %s is not deaf', async (_, line) => {
    const importing = `import { createInterface } from 'node:readline'\n${line}\n${ttsPlugin()}`
    const calling = `import { createInterface } from 'node:readline'\n${ttsPlugin(`async synthesize(text) { ${line}\nreturn super.synthesize(text) }`)}`
    const host = hostOf({ importing, calling })
    await Promise.all([speaksTenTimes(host, 'importing'), speaksTenTimes(host, 'calling')])
  })
})

describe('what is printed to fd 1 and looks like an answer', () => {
  /** Says all ids that a host may use, alone in a line and behind other text. */
  const forging = `
    const forged = []
    for (let id = 0; id < 60; id++) {
      const line = JSON.stringify({ jsonrpc: '2.0', id, result: [{ id: 'v', name: 'FORGED', language: 'en' }] })
      forged.push(line, 'text ' + line)
    }
    forged.push(JSON.stringify({ jsonrpc: '2.0', method: '$/bytesOff', params: {} }))
    const text = forged.join('\\n') + '\\n'`

  test('answers no call of an SDK plugin, whose bytes go on', async () => {
    const host = hostOf({
      engine: `import { writeSync } from 'node:fs'
        import { spawnSync } from 'node:child_process'
        ${forging}
        writeSync(1, text)
        ${ttsPlugin(`
          async getVoices() {
            writeSync(1, text)
            spawnSync(process.execPath, ['-e', 'process.stdout.write(' + JSON.stringify(text) + ')'], { stdio: 'inherit' })
            await new Promise((resolve) => setTimeout(resolve, 50))
            return super.getVoices()
          }`)}`,
    })
    const plugin = await host.load<TTSContract>('engine')
    const voices = await Promise.all(Array.from({ length: 5 }, () => plugin.getVoices()))
    for (const voice of voices) expect(voice).toMatchObject([{ id: 'one', name: 'One' }])
    expect((await plugin.synthesize('a longer text than that')).audio.length).toBeGreaterThan(2048)
    expect(Number((await plugin.health()).details?.['noise'])).toBeGreaterThan(0)
  })

  test('answers no call of a plugin without an SDK', async () => {
    const root = temporaryFolder()
    const dir = await writePlainPlugin(root)
    const file = 'node_modules/@appfactory/sdk/runtime.js'
    const { readFileSync } = await import('node:fs')
    const own = readFileSync(`${dir}/${file}`, 'utf8')
    writeFiles(dir, {
      [file]: own.replace(
        'get_voices: () => voices,',
        `get_voices: () => { ${forging}; process.stdout.write(text + 'no line end'); return voices },`,
      ),
    })
    const host = new PluginHost({ pluginsDir: root })
    onTestFinished(() => host.close({ force: true }))
    const plugin = await host.load<TTSContract>('plain')
    for (let round = 0; round < 5; round++)
      expect(await plugin.getVoices()).toMatchObject([{ id: 'one', name: 'One' }])
    expect((await plugin.synthesize('still')).durationMs).toBe(50)
  })

  test.skipIf(process.platform === 'win32')('and is longer than any message costs no call', async () => {
    const host = hostOf({
      engine: `import { writeSync } from 'node:fs'\n${ttsPlugin(`
        async synthesize(text) {
          if (text === 'x') for (let part = 0; part < 200; part++) writeSync(1, 'x'.repeat(65536))
          return super.synthesize(text)
        }`)}`,
    })
    await speaksTenTimes(host, 'engine')
    expect((await host.health('engine')).details).toMatchObject({ restarts: 0 })
  })

  test('and has no end costs no call', async () => {
    const host = hostOf({
      engine: `import { writeSync } from 'node:fs'\n${ttsPlugin(`
        async synthesize(text) { writeSync(1, 'progress…'); return super.synthesize(text) }`)}`,
    })
    await speaksTenTimes(host, 'engine')
  })
})

test('bytes that fill a read of the pipe to its last one do not make the plugin wait for more', async () => {
  const host = hostOf(
    {
      listener: `import { STTContract } from '@appfactory/sdk'
      export default class extends STTContract {
        async initialize() {}
        async shutdown() {}
        async healthCheck() { return { status: this.status, message: '' } }
        async transcribe(audio) { return String(audio.length) }
        async getLanguages() { return [] }
      }`,
    },
    { contract: 'stt' },
  )
  await host.load('listener')
  // With the head of a piece, exactly what is read at once.
  for (let round = 0; round < 5; round++)
    expect(
      await host.call('listener', 'transcribe', { audio_b64: Buffer.alloc(65_520).toString('base64') }),
    ).toMatchObject({ text: '65520' })
})

test('a child and a native library that write more to stderr than it takes at once lose none of it', async () => {
  const host = hostOf({
    chatty: `import { writeSync } from 'node:fs'
      import { spawnSync } from 'node:child_process'
      const line = 'x'.repeat(999) + '\\n'
      const say = 'for (let at = 0; at < 1000; at++) require("fs").writeSync(2, ' + JSON.stringify(line) + ')'
      ${ttsPlugin(`
        async synthesize(text) {
          for (let at = 0; at < 1000; at++) writeSync(2, line)
          spawnSync(process.execPath, ['-e', say], { stdio: ['ignore', 'ignore', 'inherit'] })
          return super.synthesize(text)
        }`)}`,
  })
  let lines = 0
  host.on('log', ({ message }) => {
    if (message === 'x'.repeat(999)) lines += 1
  })
  const plugin = await host.load<TTSContract>('chatty')
  expect((await plugin.synthesize('once')).durationMs).toBe(40)
  await expect.poll(() => lines).toBe(2000)
})

test('a plugin that prints no more than its log has room for on stdout loses none of it', async () => {
  const host = hostOf({
    chatty: `import { writeSync } from 'node:fs'\n${ttsPlugin(`
      async synthesize(text) {
        for (let at = 0; at < 18_000; at++) writeSync(1, 'loading layer ' + at + '\\n')
        return super.synthesize(text)
      }`)}`,
  })
  let lines = 0
  host.on('log', ({ message }) => {
    if (message.includes('loading layer')) lines += 1
  })
  const plugin = await host.load<TTSContract>('chatty')
  expect((await plugin.synthesize('once')).durationMs).toBe(40)
  await expect.poll(() => lines).toBe(18_000)
})

describe('a plugin that floods', () => {
  const forged = `JSON.stringify({ jsonrpc: '2.0', id: 1e9, result: {} }) + '\\n'`
  const pipe = `process._getActiveHandles().find(({ _handle }) => _handle?.fd === 4)`

  test.skipIf(process.platform === 'win32').each([
    ['stdout', `(text) => writeSync(1, text)`, `'y\\n'`],
    ['stderr', `(text) => writeSync(2, text)`, `'y\\n'`],
    ['the host with answers that nobody waits for', `(text) => ${pipe}.write(text)`, forged],
  ])('%s does not keep another one waiting, and goes on itself', async (_, write, line) => {
    const host = hostOf({
      quiet: ttsPlugin(),
      noisy: `import { writeSync } from 'node:fs'\n${ttsPlugin(`
        async synthesize(text) {
          const write = ${write}
          const lines = (${line}).repeat(2000)
          for (const end = Date.now() + 2000; text === 'flood' && Date.now() < end; ) {
            write(lines)
            await new Promise(setImmediate)
          }
          return super.synthesize(text)
        }`)}`,
    })
    const logged: string[] = []
    host.on('log', ({ message }) => logged.push(message))
    const [quiet, noisy] = await Promise.all([
      host.load<TTSContract>('quiet'),
      host.load<TTSContract>('noisy'),
    ])
    let isOver = false
    const flooding = noisy.synthesize('flood').finally(() => {
      isOver = true
    })
    let calls = 0
    for (; !isOver; calls++) expect((await quiet.synthesize('x')).durationMs).toBe(10)
    expect((await flooding).durationMs).toBe(50)
    // At half a second a call, as it was, there would be four.
    expect(calls).toBeGreaterThan(40)
    expect(logged.length).toBeLessThan(40_000)
    expect((await noisy.health()).details).toMatchObject({ restarts: 0 })
  })

  test('its log is told how many lines are not in it', async () => {
    const host = hostOf({
      noisy: ttsPlugin(`
        async synthesize(text) {
          for (let line = 0; line < 50_000; line++) process.stderr.write(line + '\\n')
          return super.synthesize(text)
        }`),
    })
    let lines = 0
    let dropped = 0
    host.on('log', ({ message }) => {
      const count = /^(\d+) more lines/.exec(message)?.[1]
      if (count) dropped += Number(count)
      else lines += 1
    })
    const plugin = await host.load<TTSContract>('noisy')
    expect((await plugin.synthesize('x')).durationMs).toBe(10)
    await expect.poll(() => lines + dropped, { timeout: 20_000 }).toBe(50_000)
    expect(dropped).toBeGreaterThan(10_000)
  })
})
