import { expect, test } from 'vitest'
import { PluginHost } from '../src/index.js'
import { temporaryFolder, ttsPlugin, writeFiles, writePlugin } from './fixtures/plugins.js'

/** Floats of 32 bits, clocks in ns and the largest double: all are integers to JavaScript. */
const large = {
  float: -3.4028234663852886e38,
  clock: 1764134400000000000,
  largest: Number.MAX_VALUE,
  logit: 1e20,
}

const members = `
  async synthesize(text) { return { ...(await super.wav()), metadata: { ...this.config, ...${JSON.stringify(large)} } } }
  async healthCheck() { return { status: this.status, message: '', details: ${JSON.stringify(large)} } }
  captureState() { return ${JSON.stringify(large)} }
  restoreState(state) { this.state = state }
  async getVoices() { throw new PluginError('TTS_SYNTHESIS_FAILED', 'no', ${JSON.stringify(large)}) }
  async getVoiceInfo(id) { return { id, name: JSON.stringify(this.state), language: 'en' } }
`

test('large numbers in a manifest, a configuration, a result, an error, health or state are refused', async () => {
  const root = temporaryFolder()
  const source = ttsPlugin(members).replace(
    'await super.wav()',
    "{ audio: new Uint8Array(8), format: 'pcm_s16le', sampleRate: 8000, channels: 1 }",
  )
  const config_schema = { type: 'object', properties: { limit: { type: 'number', maximum: 1e300 } } }
  writePlugin(root, 'large', source, { config_schema, default_config: { limit: 2 ** 60 } })
  writeFiles(root, { 'config/large.json': JSON.stringify({ limit: 2 ** 70 }) })
  await using host = new PluginHost({ pluginsDir: root, configDir: `${root}/config` })
  await host.load('large')
  expect(await host.call('large', 'synthesize', { text: 'x', provider_options: large })).toMatchObject({
    metadata: { limit: 2 ** 70, ...large },
  })
  await expect(host.call('large', 'get_voices')).rejects.toMatchObject({ code: 1000, data: large })
  expect((await host.health('large')).details).toMatchObject(large)
  await host.swap('large', 'large')
  expect(await host.call('large', 'get_voice_info', { voice_id: 'x' })).toMatchObject({
    name: JSON.stringify(large),
  })
})
