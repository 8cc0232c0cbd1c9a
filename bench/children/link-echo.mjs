// Sends back the lines that come over a link: `link-echo.mjs URL`.
import { connectNats } from '../../packages/cluster/dist/connection.js'
import { lineSplitter, lineWriter } from '../contenders/calls.mjs'
import { linkEnd } from './link-end.mjs'

const bus = await connectNats({ nats: process.argv[2] }, 'bench echo')
const link = linkEnd(bus, ['to.bench.link', 'back.bench.link'])
const write = lineWriter(link.output)
link.input.setEncoding('utf8').on(
  'data',
  lineSplitter((line) => write(JSON.stringify(JSON.parse(line)))),
)
await bus.flush()

process.on('message', async () => {
  await bus.close()
  process.send('done')
})
process.on('disconnect', () => process.exit(0))
process.send('ready')
