import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { callsById, lineSplitter, lineWriter } from './calls.mjs'
import { ended } from './fork.mjs'

const audioBytes = 1024 * 1024

/** The limit: bare pipes, one write a turn, JSON.parse and stringify, a Map of ids; audio as raw bytes on fd 3. */
export async function start(childFile = '../children/limit.mjs') {
  const child = spawn(process.execPath, [fileURLToPath(new URL(childFile, import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
  })
  const write = lineWriter(child.stdin)
  const { send, settle } = callsById((id, params) =>
    write(JSON.stringify({ jsonrpc: '2.0', id, method: 'echo', params })),
  )
  let onPiece = () => {}
  child.stdout.setEncoding('utf8').on(
    'data',
    lineSplitter((line) => {
      const { id, result, params } = JSON.parse(line)
      if (params) onPiece(params.value)
      else settle(id, result)
    }),
  )
  const audio = audioReader(child.stdio[3])
  return {
    pid: child.pid,
    call: (text) => send({ text }),
    bytes: async () => {
      const arrived = audio()
      await send({ bytes: true })
      return arrived
    },
    pieces: async (count) => {
      let got = 0
      onPiece = () => {
        got += 1
      }
      await send({ text: 'hello', pieces: count })
      return got
    },
    stop: () => ended(child, () => child.stdin.end()),
  }
}

/** As the limit, with a process between that parses and writes every message anew. */
export const startTwoHops = () => start('../children/two-hop.mjs')

function audioReader(stream) {
  const waiting = []
  let parts = []
  let received = 0
  stream.on('data', (chunk) => {
    parts.push(chunk)
    received += chunk.length
    while (received >= audioBytes) {
      const all = Buffer.concat(parts)
      waiting.shift()(all.subarray(0, audioBytes))
      parts = [all.subarray(audioBytes)]
      received -= audioBytes
    }
  })
  return () => new Promise((resolve) => waiting.push(resolve))
}
