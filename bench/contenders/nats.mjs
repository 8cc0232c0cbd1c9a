import { fileURLToPath } from 'node:url'
import { openPeer } from '@appfactory/host/internal'
import { connect } from '@nats-io/transport-node'
import { connectNats } from '../../packages/cluster/dist/connection.js'
import { linkEnd, withoutBytes } from '../children/link-end.mjs'
import { callsById, lineSplitter, lineWriter } from './calls.mjs'
import { startChild } from './child.mjs'

const fileOf = (name) => fileURLToPath(new URL(`../children/${name}`, import.meta.url))

/** `nc.request()` to a process that answers with what it got, or with one message of 1 MiB, and does nothing else. */
export async function startBare(url) {
  const child = await startChild(fileOf('nats-echo.mjs'), [url])
  const nc = await connect({ servers: url, noAsyncTraces: true })
  const ask = (subject, text) => nc.request(subject, text, { timeout: 30_000 })
  return {
    pid: child.pid,
    call: async (text) => (await ask('echo', text)).string(),
    bytes: async () => (await ask('bytes')).data,
    stop: async () => {
      await nc.close()
      await child.stop()
    },
  }
}

/** A link of the cluster, and at its other end a process that sends back the lines it gets. */
export async function startLink(url) {
  const child = await startChild(fileOf('link-echo.mjs'), [url])
  const bus = await connectNats({ nats: url }, 'bench')
  const link = linkEnd(bus, ['back.bench.link', 'to.bench.link'])
  const write = lineWriter(link.output)
  const { send, settle } = callsById((id, text) => write(JSON.stringify({ id, text })))
  link.watch(() => true)
  link.input.setEncoding('utf8').on(
    'data',
    lineSplitter((line) => {
      const { id, text } = JSON.parse(line)
      settle(id, text)
    }),
  )
  return {
    pid: child.pid,
    call: send,
    stop: async () => {
      link.close()
      await bus.close()
      await child.stop()
    },
  }
}

/** A host over a link without raw bytes: they come as base64 in the lines. */
export async function startBase64(url) {
  const child = await startChild(fileOf('link-host.mjs'), [url])
  const bus = await connectNats({ nats: url }, 'bench')
  const link = linkEnd(bus, ['back.bench.base64', 'to.bench.base64'])
  const peer = await openPeer(withoutBytes(link))
  const params = { plugin: 'tone_tts', method: 'synthesize', args: { text: 'x' } }
  return {
    pid: child.pid,
    bytes: async () => Buffer.from((await peer.request('plugin/call', params)).audio_b64, 'base64'),
    stop: async () => {
      link.close()
      await bus.close()
      await child.stop()
    },
  }
}
