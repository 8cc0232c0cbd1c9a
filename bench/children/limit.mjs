// The limit: newline-delimited JSON over pipes with nothing around it; 1 MiB replies as raw bytes on fd 3.
import { Socket } from 'node:net'

const audio = Buffer.alloc(1024 * 1024, 1)
let bytesOut
let rest = ''
let answers = []
process.stdin.setEncoding('utf8').on('data', (chunk) => {
  const lines = (rest + chunk).split('\n')
  rest = lines.pop()
  for (const line of lines) {
    const { id, params } = JSON.parse(line)
    if (params.bytes) {
      bytesOut ??= new Socket({ fd: 3, readable: false, writable: true })
      bytesOut.write(audio)
      answers.push(JSON.stringify({ jsonrpc: '2.0', id, result: { bytes: audio.length } }))
    } else answers.push(JSON.stringify({ jsonrpc: '2.0', id, result: { text: params.text, finish_reason: 'stop' } }))
  }
  if (answers.length > 0) process.stdout.write(`${answers.join('\n')}\n`)
  answers = []
})
process.stdin.on('end', () => process.exit(0))
