import type { TTSContract } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

const chat = `
import { LLMContract } from '@appfactory/sdk'
export default class extends LLMContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  async complete(prompt) { await new Promise((resolve) => setTimeout(resolve, 500)); return prompt }
  async chat(messages) { return { role: 'assistant', content: 'hi' } }
  async getModels() { return [] }
}`

const throwing = ttsPlugin(`
  async synthesize(text) {
    // Nine megabytes: a message takes eight.
    const long = 'é😀'.repeat(1.5e6)
    if (text === 'message') throw new Error(long)
    if (text === 'name') throw Object.assign(new Error('x'), { name: long })
    if (text === 'told') throw new PluginError(1234, long)
    if (text === 'data') throw new PluginError(1234, 'x', { code: 7, long, list: Array(1e6).fill('x'), nested: Array(100).fill(Array(100).fill({ long: 'x'.repeat(3000) })) })
    if (text === 'no JSON') throw new PluginError(1234, long, { big: 5n })
    if (text === 'result') return { audio: [], [long]: 1 }
    return super.synthesize(text)
  }`)

type Failure = { code: number; message: string; data?: { issues?: unknown[] } }

async function failureOf(call: Promise<unknown>): Promise<Failure> {
  return call.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: unknown) => error as Failure,
  )
}

test.each([1000, 200_000])(
  'a request with %i mistakes ends its plugin’s process, and all calls there',
  async (mistakes) => {
    const root = temporaryFolder()
    writePlugin(root, 'chat', chat, { contract: 'llm' })
    await using host = new PluginHost({ pluginsDir: root })
    await host.load('chat')
    const innocent = host.call('chat', 'complete', { prompt: 'hello' })
    const wrong = [
      { messages: Array(mistakes).fill(1) },
      { messages: Array(mistakes).fill({ role: 'user', content: {} }) },
      Object.fromEntries(Array.from({ length: mistakes }, (_, index) => [`unknown_${index}`, 1])),
      { messages: [], [`k${'x'.repeat(mistakes)}`]: 1 },
    ]
    for (const args of wrong) {
      const { code, message, data } = await failureOf(host.call('chat', 'chat', args))
      expect(code).toBe(-32602)
      expect(message.length).toBeLessThan(2500)
      expect(data?.issues?.length).toBeLessThan(25)
      expect(JSON.stringify(data).length).toBeLessThan(100_000)
    }
    expect(await innocent).toMatchObject({ text: 'hello' })
    expect((await host.health('chat')).details).toMatchObject({ restarts: 0 })
  },
  60_000,
)

test.each(['message', 'name', 'told', 'data', 'no JSON', 'result'])(
  'an error with megabytes of text ends its plugin’s process: %s',
  async (trick) => {
    const root = temporaryFolder()
    writePlugin(root, 'throwing', throwing)
    await using host = new PluginHost({ pluginsDir: root })
    const tts = await host.load<TTSContract>('throwing')
    const { code, message, data } = await failureOf(tts.synthesize(trick))
    expect([1234, -32603]).toContain(code)
    expect(message.length).toBeLessThan(2500)
    expect(JSON.stringify(data ?? null).length).toBeLessThan(100_000)
    if (trick === 'data') expect(data).toMatchObject({ code: 7 })
    expect((await tts.synthesize('again')).format).toBe('wav')
    expect((await tts.health()).details).toMatchObject({ restarts: 0 })
  },
  60_000,
)
