import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { pythonWith } from '../../../sdk/test/python/environment.js'
import { serveAll } from '../visitor.js'

const run = promisify(execFile)
const python = pythonWith('wyoming')
const script = fileURLToPath(new URL('home-assistant.py', import.meta.url))
const pluginsDir = ['../plugins', '../../../../examples/plugins'].map((folder) =>
  fileURLToPath(new URL(folder, import.meta.url)),
)

describe.skipIf(python === undefined)('the package of the Wyoming protocol, in Python', () => {
  const served = serveAll(
    ['tts_flite', 'stt_pocketsphinx', 'tool_llm'],
    { wyoming: [{ port: 0 }] },
    { pluginsDir },
  )

  it('describes, speaks, hears and is answered, as Home Assistant does', async () => {
    const { stdout } = await run(String(python), ['-I', script, String(served.gateway.wyoming[0]?.port)])
    expect(JSON.parse(stdout)).toEqual({
      info: {
        asr: ['stt_pocketsphinx', ['en-US'], true],
        tts: ['tts_flite', expect.arrayContaining(['rms', 'slt']), true],
        handle: ['tool_llm', true],
        installed: true,
        attribution: [expect.any(String), expect.any(String)],
      },
      heard: {
        text: 'i love you',
        language: 'en-US',
        types: expect.arrayContaining([
          'transcript-start',
          'transcript-chunk',
          'transcript',
          'transcript-stop',
        ]),
      },
      answer: { type: 'handled', text: 'turn on the light', pieces: 4 },
      meanwhile: { seconds: expect.closeTo(4, 0) },
    })
  })
})
