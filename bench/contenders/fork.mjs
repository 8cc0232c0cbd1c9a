import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { callsById } from './calls.mjs'

/** Node's own channel between processes, with structured clone. */
export async function start() {
  const child = fork(fileURLToPath(new URL('../children/fork.mjs', import.meta.url)), {
    serialization: 'advanced',
  })
  const { send, settle } = callsById((id, params) => child.send({ id, ...params }))
  child.on('message', ({ id, ...result }) => settle(id, result))
  return {
    pid: child.pid,
    call: (text) => send({ text }),
    bytes: async () => (await send({ bytes: true })).audio,
    stop: () => ended(child, () => child.disconnect()),
  }
}

/** Lets a child go and waits for it. */
export function ended(child, letGo) {
  return new Promise((resolve) => {
    child.once('exit', resolve)
    letGo()
  })
}
