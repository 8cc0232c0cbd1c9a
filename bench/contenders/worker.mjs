import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { callsById } from './calls.mjs'

/** A pool of worker threads, one for each core, for contrast: no isolation, a crash takes the application along. */
export async function start() {
  const workers = Array.from(
    { length: availableParallelism() },
    () => new Worker(new URL('../children/worker.mjs', import.meta.url)),
  )
  const { send, settle } = callsById((id, params) =>
    workers[id % workers.length].postMessage({ id, ...params }),
  )
  for (const worker of workers) worker.on('message', ({ id, ...result }) => settle(id, result))
  return {
    call: (text) => send({ text }),
    bytes: async () => (await send({ bytes: true })).audio,
    stop: () => Promise.all(workers.map((worker) => worker.terminate())),
  }
}
