// A host with a plugin, and a gateway in front of it. Measures calls of its host when asked to.
import { serveGateway } from '@appfactory/gateway'
import { percentile } from '../../scripts/lib/statistics.mjs'
import { start } from '../contenders/appfactory.mjs'
import { elapsedMs, medianLatency } from '../measure.mjs'

const { host, stop } = await start()
const stt = await host.load('words_stt')
const gateway = await serveGateway(host, { port: 0 })
const args = { messages: [{ role: 'user', content: 'hello' }], max_tokens: 1 }

/** Until the first piece is there; the rest is not waited for. In ms. */
async function firstPiece() {
  const times = []
  for (let count = 0; count < 300; count++) {
    const stream = host.stream('echo_llm', 'stream_chat', args)
    times.push(await elapsedMs(() => stream.next()))
    await stream.return()
  }
  return percentile(times, 0.5)
}

/** From a piece of sound to the word that is heard in it, p50, in ms. */
async function firstWord() {
  const words = stt.transcribeStream(sound(), {
    format: 'pcm_s16le',
    sampleRate: 16_000,
  })
  let push
  async function* sound() {
    for (;;)
      yield await new Promise((resolve) => {
        push = resolve
      })
  }
  const times = []
  const piece = new Uint8Array(1280)
  for (let count = 0; count < 300; count++) {
    const heard = words.next()
    while (!push) await new Promise(setImmediate)
    const send = push
    push = undefined
    times.push(
      await elapsedMs(() => {
        send(piece)
        return heard
      }),
    )
  }
  await words.return()
  return percentile(times, 0.5)
}

const questions = {
  port: () => gateway.port,
  callLatency: () => medianLatency(() => host.call('echo_llm', 'chat', args)),
  firstPiece,
  firstWord,
  close: async () => {
    await gateway.close()
    await stop()
  },
}
process.on('message', async (question) => {
  process.send((await questions[question]()) ?? 'done')
})
process.on('disconnect', () => process.exit(0))
process.send('ready')
