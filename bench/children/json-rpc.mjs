import { createInterface } from 'node:readline'
import { JSONRPCServer } from 'json-rpc-2.0'
import { audio } from './audio.mjs'

const server = new JSONRPCServer()
server.addMethod('echo', ({ text }) => ({ text }))
server.addMethod('audio', () => ({ audio_b64: audio.toString('base64') }))
createInterface({ input: process.stdin }).on('line', async (line) => {
  process.stdout.write(`${JSON.stringify(await server.receive(JSON.parse(line)))}\n`)
})
process.stdin.on('end', () => process.exit(0))
