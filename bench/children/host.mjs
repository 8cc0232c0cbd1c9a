// A host with as many plugins as the command line says: `host.mjs DIR COUNT`. Measures itself when asked to.
import { readdirSync } from 'node:fs'
import { PluginHost } from '@appfactory/host'
import { callsPerSecond } from '../measure.mjs'

const [dir, count] = process.argv.slice(2)
const atOnce = 10

const rssMb = () => {
  global.gc()
  return process.memoryUsage.rss() / 1e6
}

const host = new PluginHost({ pluginsDir: dir })
const [first, ...others] = readdirSync(dir).slice(0, Number(count))
const llm = await host.load(first)
const call = () => llm.complete('hello')
// What the first calls compile and allocate is no plugin's share.
await callsPerSecond(call, 64)
const before = rssMb()
for (let at = 0; at < others.length; at += atOnce) {
  await Promise.all(others.slice(at, at + atOnce).map((name) => host.load(name)))
}

const questions = {
  callsPerSecond: () => callsPerSecond(call, 64),
  growthMb: async () => (rssMb() - before) / others.length,
  close: () => host.close(),
}
process.on('message', async (question) => {
  process.send((await questions[question]()) ?? 'done')
})
process.on('disconnect', () => process.exit(0))
process.send('ready')
