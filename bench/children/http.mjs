// node:http without anything: `POST /chat` is answered with what came, or with as many events as it asks for; `POST /bytes` with 1 MiB,
// and `POST /upload` with how long it was.
import { once } from 'node:events'
import { createServer } from 'node:http'

const event = `data: ${JSON.stringify({
  id: 'chatcmpl-0123456789abcdef0123456789abcdef',
  object: 'chat.completion.chunk',
  created: 1_700_000_000,
  model: 'echo_llm',
  choices: [{ index: 0, delta: { content: 'hello' }, finish_reason: null, logprobs: null }],
})}\n\n`

const mebibyte = Buffer.alloc(1024 * 1024, 1)

const server = createServer(async (request, response) => {
  const parts = []
  for await (const part of request) parts.push(part)
  if (request.url === '/bytes') return response.end(mebibyte)
  if (request.url === '/upload') return response.end(String(Buffer.concat(parts).length))
  const body = JSON.parse(Buffer.concat(parts).toString())
  if (body.stream) return sendEvents(response, body.max_tokens)
  const text = JSON.stringify(body)
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
})

async function sendEvents(response, count) {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (let sent = 0; sent < count; sent++) if (!response.write(event)) await once(response, 'drain')
  response.end('data: [DONE]\n\n')
}

server.listen(0, '127.0.0.1')
await once(server, 'listening')
const questions = {
  port: () => server.address().port,
  close: () => {
    server.closeAllConnections()
    server.close()
  },
}
process.on('message', async (question) => {
  process.send((await questions[question]()) ?? 'done')
})
process.on('disconnect', () => process.exit(0))
process.send('ready')
