// Stands between a client and the limit's child: parses and writes every message anew, with ids of its own.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { callsById, lineSplitter, lineWriter } from '../contenders/calls.mjs'

const child = spawn(process.execPath, [fileURLToPath(new URL('./limit.mjs', import.meta.url))], {
  stdio: ['pipe', 'pipe', 'inherit'],
})
const [up, down] = [lineWriter(process.stdout), lineWriter(child.stdin)]
const askers = new Map()
const { send, settle } = callsById((id, { asker, params }) => {
  askers.set(id, asker)
  down(JSON.stringify({ jsonrpc: '2.0', id, method: 'echo', params }))
})
child.stdout.setEncoding('utf8').on(
  'data',
  lineSplitter((line) => {
    const { id, result, method, params } = JSON.parse(line)
    if (params) {
      up(JSON.stringify({ jsonrpc: '2.0', method, params: { ...params, id: askers.get(params.id) } }))
      return
    }
    askers.delete(id)
    settle(id, result)
  }),
)
process.stdin.setEncoding('utf8').on(
  'data',
  lineSplitter(async (line) => {
    const { id, params } = JSON.parse(line)
    up(JSON.stringify({ jsonrpc: '2.0', id, result: await send({ asker: id, params }) }))
  }),
)
process.stdin.on('end', () => child.stdin.end())
child.once('exit', () => process.exit(0))
