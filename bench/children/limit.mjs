// Newline-delimited JSON over pipes with nothing around it; audio as raw bytes on fd 3.
import { Socket } from 'node:net'
import { lineSplitter, lineWriter } from '../contenders/calls.mjs'
import { audio } from './audio.mjs'

const write = lineWriter(process.stdout)
let bytesOut

const answer = ({ id, params }) => {
  if (params.bytes) {
    bytesOut ??= new Socket({ fd: 3, readable: false, writable: true })
    bytesOut.write(audio)
    return write(JSON.stringify({ jsonrpc: '2.0', id, result: { bytes: audio.length } }))
  }
  for (let seq = 0; seq < (params.pieces ?? 0); seq++) {
    write(
      JSON.stringify({
        jsonrpc: '2.0',
        method: '$/stream',
        params: { id, seq, value: { text: params.text } },
      }),
    )
  }
  return write(JSON.stringify({ jsonrpc: '2.0', id, result: { text: params.text } }))
}

process.stdin.setEncoding('utf8').on(
  'data',
  lineSplitter((line) => answer(JSON.parse(line))),
)
process.stdin.on('end', () => process.exit(0))
