import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { JSONRPCClient } from 'json-rpc-2.0'
import { ended } from './fork.mjs'

/** json-rpc-2.0 with readline, as its own documentation would have it on stdio. */
export async function start() {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('../children/json-rpc.mjs', import.meta.url))],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  const client = new JSONRPCClient((request) => {
    child.stdin.write(`${JSON.stringify(request)}\n`)
  })
  createInterface({ input: child.stdout }).on('line', (line) => client.receive(JSON.parse(line)))
  return {
    pid: child.pid,
    call: (text) => client.request('echo', { text }),
    bytes: async () => Buffer.from((await client.request('audio', {})).audio_b64, 'base64'),
    stop: () => ended(child, () => child.stdin.end()),
  }
}
