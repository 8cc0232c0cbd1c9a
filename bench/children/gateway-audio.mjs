// A host with plugins that speak and listen, and a gateway in front of it. Measures its host, its loop and its memory when asked to.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { serveGateway } from '@appfactory/gateway'
import { PluginHost } from '@appfactory/host'
import { percentile } from '../../scripts/lib/statistics.mjs'
import { elapsedMs } from '../measure.mjs'

const host = new PluginHost({ pluginsDir: fileURLToPath(new URL('../plugins', import.meta.url)) })
await Promise.all(['speech_tts', 'length_stt'].map((name) => host.load(name)))
const gateway = await serveGateway(host, { port: 0 })
const delay = monitorEventLoopDelay({ resolution: 1 })
let before = 0

/** Until the first piece is there; in ms. */
async function firstPiece() {
  const times = []
  for (let count = 0; count < 60; count++) {
    const stream = host.stream('speech_tts', 'synthesize_stream', { text: '1 12000' })
    times.push(await elapsedMs(() => stream.next()))
    await stream.return()
  }
  return percentile(times, 0.5)
}

const questions = {
  port: () => gateway.port,
  firstPiece,
  watchLoop: () => {
    delay.reset()
    delay.enable()
  },
  /** The 99th percentile since then, in ms. */
  loopDelay: () => {
    delay.disable()
    return delay.percentile(99) / 1e6
  },
  watchMemory: () => {
    before ||= process.memoryUsage.rss()
  },
  /** How much more memory it has ever had since then, in bytes. */
  memory: () => process.resourceUsage().maxRSS * 1024 - before,
  close: async () => {
    await gateway.close()
    await host.close()
  },
}
process.on('message', async (question) => {
  process.send((await questions[question]()) ?? 'done')
})
process.on('disconnect', () => process.exit(0))
process.send('ready')
