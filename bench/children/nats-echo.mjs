// Answers requests over NATS with what they say, or with 1 MiB: `nats-echo.mjs URL`.
import { connect } from '@nats-io/transport-node'

const nc = await connect({ servers: process.argv[2] })
const megabyte = new Uint8Array(1024 * 1024)
nc.subscribe('echo', { callback: (_, message) => message.respond(message.data) })
nc.subscribe('bytes', { callback: (_, message) => message.respond(megabyte) })
await nc.flush()

process.on('message', async () => {
  await nc.close()
  process.send('done')
})
process.on('disconnect', () => process.exit(0))
process.send('ready')
