import { Worker } from 'node:worker_threads'
import { callsById } from './calls.mjs'

/** A worker thread, for contrast: no isolation, a crash takes the application along. */
export async function start() {
  const worker = new Worker(new URL('../children/worker.mjs', import.meta.url))
  const { send, settle } = callsById((id, params) => worker.postMessage({ id, ...params }))
  worker.on('message', ({ id, ...result }) => settle(id, result))
  return {
    call: (text) => send({ text }),
    bytes: async () => (await send({ bytes: true })).audio,
    stop: () => worker.terminate(),
  }
}
