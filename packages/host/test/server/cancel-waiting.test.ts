import { writeFileSync } from 'node:fs'
import { ErrorCodes } from '@appfactory/sdk'
import { expect, test, vi } from 'vitest'
import type { LinesProcess } from '../../../sdk/test/lines-process.js'
import { logged, startHost, ttsPlugin } from './client.js'

vi.setConfig({ testTimeout: 60_000 })

/** Logs what it does. `until(name)` waits for a file of that name. */
const talkative = `
  async until(name) {
    const { existsSync } = await import('node:fs')
    while (!existsSync('../../' + name)) await new Promise((resolve) => setTimeout(resolve, 10))
  }
  async synthesize(text, voice, options) {
    console.error('did ' + text)
    if (text === 'exit') process.exit(1)
    return encodeWav(new Int16Array(80), { sampleRate: 8000 })
  }
  async *synthesizeStream(text) { console.error('did ' + text); yield await this.synthesize(text) }
`
const ways = {
  'plugin/call': { method: 'plugin/call', params: call('cancelled') },
  'a stream': {
    method: 'plugin/call',
    params: { ...call('cancelled'), method: 'synthesize_stream', stream: true },
  },
  'plugin/call with retry': {
    method: 'plugin/call',
    params: { ...call('cancelled'), method: 'get_voices', args: {}, retry: 1 },
  },
  'a method of the contract': { method: 'tts/synthesize', params: { text: 'cancelled' } },
}

function call(text: string) {
  return { plugin: 'a', method: 'synthesize', args: { text } }
}

/** Cancels a call of each kind while it waits; each is answered at once, and none is made later. */
async function cancelWaiting(host: LinesProcess): Promise<void> {
  for (const { method, params } of Object.values(ways)) {
    const id = host.request(method, params)
    // What comes in this order is looked at in this order: the call waits.
    await host.result('ping')
    host.notify('$/cancelRequest', { id })
    expect((await host.reply(id)).error?.code).toBe(ErrorCodes.REQUEST_CANCELLED)
  }
}

async function expectNothingDone(host: LinesProcess): Promise<void> {
  await host.result('plugin/call', call('after'))
  await logged(host, 'did after')
  const logs = host.received.flat().filter(({ params }) => /did cancelled/.test(String(params?.['message'])))
  expect(logs).toEqual([])
}

test('a call that waits for a plugin to start is cancelled at once, and never made', async () => {
  const host = startHost(ttsPlugin('a', `${talkative} async initialize() { await this.until('go') }`))
  await host.result('events/subscribe', { types: ['log'] })
  const loading = host.request('plugin/load', { name: 'a' })
  await cancelWaiting(host)
  writeFileSync(`${host.dir}/go`, '')
  await host.reply(loading)
  await expectNothingDone(host)
})

test('a call that waits for a restart is cancelled at once, and never made', async () => {
  const restarting = `async initialize() {
    const { existsSync, writeFileSync } = await import('node:fs')
    if (existsSync('../../begun')) await this.until('go')
    writeFileSync('../../begun', '')
  }`
  const host = startHost(ttsPlugin('a', `${talkative} ${restarting}`))
  await host.result('events/subscribe', { types: ['log', 'restart'] })
  await host.result('plugin/load', { name: 'a' })
  expect((await host.ask('plugin/call', call('exit'))).error?.code).toBe(ErrorCodes.PLUGIN_CRASHED)
  await cancelWaiting(host)
  writeFileSync(`${host.dir}/go`, '')
  await expectNothingDone(host)
})

test('a call that waits for a swap is cancelled at once, and never made', async () => {
  const state =
    "async captureState() { console.error('capturing'); await this.until('go'); return 1 } restoreState() {}"
  const host = startHost(ttsPlugin('a', `${talkative} ${state}`))
  await host.result('events/subscribe', { types: ['log'] })
  await host.result('plugin/load', { name: 'a' })
  const swapping = host.request('plugin/swap', { old: 'a', new: 'a' })
  await logged(host, 'capturing')
  await cancelWaiting(host)
  writeFileSync(`${host.dir}/go`, '')
  expect((await host.reply(swapping)).result).toMatchObject({ state_preserved: true })
  await expectNothingDone(host)
})

test('a call by its contract that is cancelled before its plugin is known is never made', async () => {
  const host = startHost(ttsPlugin('a', talkative))
  await host.result('events/subscribe', { types: ['log'] })
  await host.result('plugin/load', { name: 'a' })
  const contract = { jsonrpc: '2.0', id: 'c', method: 'tts/synthesize', params: { text: 'cancelled' } }
  const cancel = { jsonrpc: '2.0', method: '$/cancelRequest', params: { id: 'c' } }
  host.write(`${JSON.stringify(contract)}\n${JSON.stringify(cancel)}\n`)
  expect((await host.reply('c')).error?.code).toBe(ErrorCodes.REQUEST_CANCELLED)
  await expectNothingDone(host)
})
