// Stands between a client and the limit's child: parses and writes every message anew, with ids of its own.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { callsById, lineSplitter, lineWriter } from '../contenders/calls.mjs'

const child = spawn(process.execPath, [fileURLToPath(new URL('./limit.mjs', import.meta.url))], {
  stdio: ['pipe', 'pipe', 'inherit'],
})
const [up, down] = [lineWriter(process.stdout), lineWriter(child.stdin)]
const { send, settle } = callsById((id, params) =>
  down(JSON.stringify({ jsonrpc: '2.0', id, method: 'echo', params })),
)
child.stdout.setEncoding('utf8').on(
  'data',
  lineSplitter((line) => {
    const { id, result } = JSON.parse(line)
    settle(id, result)
  }),
)
process.stdin.setEncoding('utf8').on(
  'data',
  lineSplitter(async (line) => {
    const { id, params } = JSON.parse(line)
    up(JSON.stringify({ jsonrpc: '2.0', id, result: await send(params) }))
  }),
)
process.stdin.on('end', () => child.stdin.end())
child.once('exit', () => process.exit(0))
