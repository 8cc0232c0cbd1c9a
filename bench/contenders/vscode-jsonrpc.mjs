import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-jsonrpc/node.js'
import { ended } from './fork.mjs'

/** vscode-jsonrpc: what language servers talk with. */
export async function start() {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('../children/vscode-jsonrpc.mjs', import.meta.url))],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  const connection = createMessageConnection(
    new StreamMessageReader(child.stdout),
    new StreamMessageWriter(child.stdin),
  )
  connection.listen()
  return {
    pid: child.pid,
    call: (text) => connection.sendRequest('echo', { text }),
    bytes: async () => Buffer.from((await connection.sendRequest('audio', {})).audio_b64, 'base64'),
    stop: () =>
      ended(child, () => {
        connection.dispose()
        child.stdin.end()
      }),
  }
}
