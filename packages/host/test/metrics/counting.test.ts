import type { TTSContract } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

const members = `
async *synthesizeStream(text) {
  for (const word of text.split(' ')) {
    if (word === 'fail') throw new PluginError('TTS_SYNTHESIS_FAILED', 'no')
    yield encodeWav(new Int16Array(80), { sampleRate: 8000 })
  }
}
`

test('an embedded host counts calls and streams, whichever way they come', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', ttsPlugin(members))
  await using host = new PluginHost({ pluginsDir: root })
  const speaker = await host.load<TTSContract>('speaker')
  const counted = (): number[] => [host.status().requestsProcessed, host.status().errors]

  await speaker.synthesize('one')
  await host.call('speaker', 'get_voices')
  expect(counted()).toEqual([2, 0])

  for await (const _piece of speaker.synthesizeStream('one two'));
  for await (const _piece of host.stream('speaker', 'synthesize_stream', { text: 'one two' }));
  expect(counted()).toEqual([4, 0])

  // Left and cancelled by who asked: no errors.
  for await (const _piece of speaker.synthesizeStream('one two')) break
  await expect(speaker.getVoices({ signal: AbortSignal.abort() })).rejects.toThrow()
  expect(counted()).toEqual([6, 0])

  // Failed in the plugin, in its options, and before any plugin is asked.
  const failed = async (pieces: AsyncIterable<unknown>): Promise<void> => {
    for await (const _piece of pieces);
  }
  await expect(failed(speaker.synthesizeStream('one fail'))).rejects.toThrow()
  await expect(failed(host.stream('speaker', 'synthesize_stream', { text: 'fail' }))).rejects.toThrow()
  await expect(failed(host.stream('nobody', 'synthesize_stream'))).rejects.toThrow()
  await expect(speaker.synthesize('x', undefined, { pitch: 'high' as never })).rejects.toThrow()
  await expect(host.call('speaker', 'unknown')).rejects.toThrow()
  expect(counted()).toEqual([11, 5])

  expect((await speaker.health()).details).toMatchObject({
    ...{ calls_answered: 4, calls_failed: 3, calls_cancelled: 2, calls_in_flight: 0, open_streams: 0 },
  })
  expect(String(host.status().uptimeSeconds)).toMatch(/^\d+(\.\d{1,3})?$/)
})
