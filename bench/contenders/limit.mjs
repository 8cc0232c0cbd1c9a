import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const child = fileURLToPath(new URL('../children/limit.mjs', import.meta.url))

/** Bare pipes: one write a turn, JSON.parse and stringify, a Map of ids. */
export async function start() {
  const process_ = spawn(process.execPath, [child], { stdio: ['pipe', 'pipe', 'inherit', 'pipe'] })
  const waiting = new Map()
  const waitingBytes = []
  let lastId = 0
  let rest = ''
  let pending = []
  process_.stdout.setEncoding('utf8').on('data', (chunk) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()
    for (const line of lines) {
      const { id, result } = JSON.parse(line)
      waiting.get(id)(result)
      waiting.delete(id)
    }
  })
  let received = 0
  let parts = []
  process_.stdio[3].on('data', (chunk) => {
    parts.push(chunk)
    received += chunk.length
    while (waitingBytes.length > 0 && received >= waitingBytes[0].size) {
      const { size, resolve } = waitingBytes.shift()
      const all = Buffer.concat(parts)
      resolve(all.subarray(0, size))
      parts = [all.subarray(size)]
      received -= size
    }
  })
  const send = (params) =>
    new Promise((resolve) => {
      const id = ++lastId
      waiting.set(id, resolve)
      if (pending.length === 0) process.nextTick(flush)
      pending.push(JSON.stringify({ jsonrpc: '2.0', id, method: 'echo', params }))
    })
  const flush = () => {
    process_.stdin.write(`${pending.join('\n')}\n`)
    pending = []
  }
  return {
    pid: process_.pid,
    call: (text) => send({ text }),
    bytes: async () => {
      const audio = new Promise((resolve) => waitingBytes.push({ size: 1024 * 1024, resolve }))
      await send({ bytes: true })
      return audio
    },
    stop: () => new Promise((resolve) => { process_.once('exit', resolve); process_.stdin.end() }),
  }
}
