import { spawn } from 'node:child_process'
import { callsById, lineSplitter, lineWriter } from './calls.mjs'
import { ended } from './fork.mjs'

/** A client that knows nothing but lines of JSON, as lean as the limit's. */
export function startJsonClient(args, program = process.execPath) {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const write = lineWriter(child.stdin)
  const { send, settle } = callsById((id, request) =>
    write(JSON.stringify({ jsonrpc: '2.0', id, ...request })),
  )
  let onPiece = () => {}
  child.stdout.setEncoding('utf8').on(
    'data',
    lineSplitter((line) => {
      const { id, result, error, method, params } = JSON.parse(line)
      if (method === '$/stream') onPiece(params)
      else if (method === undefined) settle(id, { result, error })
    }),
  )
  const request = async (method, params) => {
    const { result, error } = await send({ method, params })
    if (error) throw new Error(`${method}: ${error.message}`)
    return result
  }
  return {
    pid: child.pid,
    request,
    /** Counts the pieces of a `plugin/call`. With `credit`, half of it is given anew each time that half is used. */
    pieces: async (params, credit) => {
      let got = 0
      onPiece = ({ id }) => {
        got += 1
        if (credit && got % (credit / 2) === 0) {
          write(JSON.stringify({ jsonrpc: '2.0', method: '$/credit', params: { id, n: credit / 2 } }))
        }
      }
      await request('plugin/call', { ...params, stream: credit ? { credit } : true })
      return got
    },
    stop: () => ended(child, () => child.stdin.end()),
  }
}
