import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-jsonrpc/node.js'
import { audio } from './audio.mjs'

const connection = createMessageConnection(
  new StreamMessageReader(process.stdin),
  new StreamMessageWriter(process.stdout),
)
connection.onRequest('echo', ({ text }) => ({ text }))
connection.onRequest('audio', () => ({ audio_b64: audio.toString('base64') }))
connection.listen()
process.stdin.on('end', () => process.exit(0))
