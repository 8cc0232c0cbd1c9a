// A host with a plugin, with a gateway in front of it or not: `served.mjs gateway`, `served.mjs host`. Tells its memory when asked to.
import { start } from '../contenders/appfactory.mjs'

const { host, stop } = await start()
const gateway = process.argv[2] === 'gateway' ? await serve() : undefined

async function serve() {
  const { serveGateway } = await import('@appfactory/gateway')
  return serveGateway(host, { port: 0 })
}

const questions = {
  port: () => gateway?.port ?? 0,
  megabytes: () => {
    global.gc?.()
    return process.memoryUsage.rss() / 1e6
  },
  close: async () => {
    await gateway?.close()
    await stop()
  },
}
process.on('message', async (question) => {
  process.send((await questions[question]()) ?? 'done')
})
process.on('disconnect', () => process.exit(0))
process.send('ready')
