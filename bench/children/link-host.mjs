// A host at the other end of a link that carries no raw bytes: `link-host.mjs URL`.
import { serve } from '@appfactory/host'
import { connectNats } from '../../packages/cluster/dist/connection.js'
import { start } from '../contenders/appfactory.mjs'
import { linkEnd, withoutBytes } from './link-end.mjs'

const { host, tts, stop } = await start()
await tts()
const bus = await connectNats({ nats: process.argv[2] }, 'bench host')
serve(host, withoutBytes(linkEnd(bus, ['to.bench.base64', 'back.bench.base64'])))
await bus.flush()

process.on('message', async () => {
  await bus.close()
  await stop()
  process.send('done')
})
process.on('disconnect', () => process.exit(0))
process.send('ready')
