import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  makeFolder,
  notesProcess,
  runningOf,
  ttsPlugin,
  writeFiles,
  writePlugin,
} from '../fixtures/plugins.js'

const folder = makeFolder()
let speaker: string

beforeAll(() => {
  const slow = `
  async synthesize(text) { await new Promise((go) => setTimeout(go, 300)); return super.synthesize(text) }
  async *synthesizeStream() { for (const text of ['a', 'b']) yield { ...(await this.synthesize(text)), audio: new Uint8Array(9000), format: 'pcm_s16le', sampleRate: 8000, channels: 1, text } }`
  speaker = writePlugin(folder.path, 'speaker', notesProcess + ttsPlugin(slow))
})
afterAll(folder.remove)

/** Runs a program that has `host`, and never closes it. */
async function run(name: string, body: string): Promise<{ code: number | null; said: string }> {
  const host = pathToFileURL(join(import.meta.dirname, '../../dist/index.js'))
  const file = `${name}.mjs`
  writeFiles(folder.path, {
    [file]: `import { PluginHost } from ${JSON.stringify(host)}
const host = new PluginHost({ pluginsDir: ${JSON.stringify(folder.path)} })
${body}`,
  })
  const child = spawn(process.execPath, [join(folder.path, file)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
    // What does not end by itself is ended here, and has another code than 0.
    if (said.endsWith('waiting\n')) setTimeout(() => child.kill(), 1000)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, said }
}

test('a program that has unref’d its host ends when its calls and streams have, and its plugins end with it', async () => {
  const { code, said } = await run(
    'forgetful',
    `host.unref()
const tts = await host.load('speaker')
const [one] = await Promise.all([tts.synthesize('Hello'), host.health('speaker')])
const texts = []
for await (const { text } of tts.synthesizeStream('x')) texts.push(text)
console.log(one.format, texts.join(' '))`,
  )
  expect({ code, said }).toEqual({ code: 0, said: 'wav a b\n' })
  await expect.poll(() => runningOf(speaker)).toEqual([])
})

test('also where that is said after the plugin is there, and a call is still in flight then', async () => {
  const { code, said } = await run(
    'late',
    `const tts = await host.load('speaker')
tts.synthesize('Hello').then(({ format }) => console.log(format))
host.unref()`,
  )
  expect({ code, said }).toEqual({ code: 0, said: 'wav\n' })
})

test('it can be swapped, unloaded and closed as any other', async () => {
  const { code, said } = await run(
    'tidy',
    `host.unref()
await host.load('speaker')
await host.swap('speaker', 'speaker')
await host.unload('speaker')
const tts = await host.load('speaker')
await tts.getVoices()
await host.close()
console.log('closed')`,
  )
  expect({ code, said }).toEqual({ code: 0, said: 'closed\n' })
})

test('without it, or once it is taken back, a loaded plugin keeps the program from ending', async () => {
  const programs = await Promise.all([
    run('default', `await host.load('speaker'); console.log('waiting')`),
    run('again', `host.unref(); await host.load('speaker'); host.ref(); console.log('waiting')`),
  ])
  expect(programs.map(({ code }) => code)).toEqual([null, null])
})
