import { expect, test } from 'vitest'
import { startHost, ttsPlugin } from '../server/client.js'

/** Speaks unless the text says that it is not to; then its pieces break off behind the first. */
const members = `
  synthesize(text) {
    if (text === 'fail ' + this.name) throw new PluginError('TTS_SYNTHESIS_FAILED', 'broken')
    return encodeWav(new Int16Array(80), { sampleRate: 8000 })
  }
  async *synthesizeStream(text) {
    for (let piece = 0; piece < 2; piece++) {
      if (piece > 0 && text === 'fail ' + this.name) throw new PluginError('TTS_SYNTHESIS_FAILED', 'broken')
      yield { audio: encodeWav(new Int16Array(80), { sampleRate: 8000 }), text: this.name }
    }
  }
`

test('clients make fallbacks, hear of them, and forbid them; the file of settings makes them too', async () => {
  const settings = {
    fallbacks: { voice: { plugins: ['one', 'two'], leaveAfter: 1, probeIntervalMs: 'Infinity' } },
  }
  const host = startHost({
    ...{ ...ttsPlugin('one', members), ...ttsPlugin('two', members) },
    '../appfactory.config.json': JSON.stringify(settings),
  })
  await host.result('events/subscribe', { types: ['fallback'] })
  const call = (plugin: string, method: string, text: string, more: object = {}): Promise<unknown> =>
    host.result('plugin/call', { plugin, method, args: { text }, ...more })
  expect(await call('voice', 'synthesize', 'Hello')).toMatchObject({ sample_rate: 8000 })
  // It waits until that one is up too.
  await call('two', 'synthesize', 'Hello')
  const failed = host.ask('plugin/call', {
    ...{ plugin: 'voice', method: 'synthesize', args: { text: 'fail one' }, fallback: false },
  })
  expect(await failed).toMatchObject({ error: { code: 1000, message: 'broken' } })
  const left = await host.notification('event', ({ previous }) => previous === 'one')
  expect(left.params).toMatchObject({
    type: 'fallback',
    plugin: 'voice',
    serving: 'two',
    reason: '"one": broken',
  })
  expect(await call('voice', 'synthesize', 'fail one')).toMatchObject({ sample_rate: 8000 })

  const made = await host.result('plugin/fallback', {
    name: 'other',
    plugins: ['two', { plugin: 'one', voices: { alloy: 'slt' } }],
    ...{ attempt_timeout_ms: 60_000, leave_after: 1, caller_errors: [7], probe: false },
  })
  expect(made).toMatchObject({ success: true, plugin: { name: 'other', fallback: ['two', 'one'] } })
  const id = host.request('plugin/call', {
    ...{ plugin: 'other', method: 'synthesize_stream', args: { text: 'fail two' } },
    ...{ stream: true, fallback: 'restart' },
  })
  const pieces = []
  for (let seq = 0; seq < 3; seq++)
    pieces.push(await host.notification('$/stream', (params) => params['id'] === id && params['seq'] === seq))
  expect(pieces.map(({ params }) => params)).toMatchObject([
    { value: { text: 'two' } },
    { value: { text: 'one', restarted: true } },
    { value: { text: 'one' } },
  ])
  expect(await host.reply(id)).toMatchObject({ result: { pieces: 3 } })
  const wrong = await host.ask('plugin/fallback', { name: 'third', plugins: ['one'], leave_after: 0 })
  expect(wrong).toMatchObject({ error: { code: -32_602, message: expect.stringContaining('leaveAfter') } })
  expect((await host.finish()).code).toBe(0)
})
