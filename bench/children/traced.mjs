// A host whose calls are traced in the way that the command line names. Measures itself when asked to.
import { tracingChannel } from 'node:diagnostics_channel'
import { start } from '../contenders/appfactory.mjs'

const callCount = 20_000
const nothing = () => {}
const calls = tracingChannel('appfactory.call')

const ways = {
  never: nothing,
  before: () => {
    calls.start.subscribe(nothing)
    calls.start.unsubscribe(nothing)
  },
  listener: () => calls.asyncEnd.subscribe(nothing),
  opentelemetry: async () => {
    const { instrument } = await import('@appfactory/host/opentelemetry')
    instrument()
  },
}

const { call, stop } = await start()
await ways[process.argv[2]]()

/** What the host's process computes for a call, in µs: unlike its duration, it is the same on a busy machine. */
async function costOfCall() {
  const before = process.cpuUsage()
  let left = callCount
  const keepCalling = async () => {
    while (left-- > 0) await call('hello')
  }
  await Promise.all(Array.from({ length: 64 }, keepCalling))
  const { user, system } = process.cpuUsage(before)
  return (user + system) / callCount
}

const questions = { costOfCall, close: stop }
process.on('message', async (question) => {
  process.send((await questions[question]()) ?? 'done')
})
process.on('disconnect', () => process.exit(0))
process.send('ready')
