import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { startChild } from './child.mjs'

/** The gateway: a host, a plugin and HTTP, in a process of their own. */
export const startGateway = () => start('../children/gateway.mjs', '/v1/chat/completions')

/** What node:http does without anything behind it. */
export const startBareHttp = () => start('../children/http.mjs', '/chat')

/** The host alone, or with a gateway, started anew; its memory is told. */
export async function startServed(what) {
  const file = fileURLToPath(new URL('../children/served.mjs', import.meta.url))
  const child = await startChild(file, [what], ['--expose-gc'])
  const port = await child.ask('port')
  const to = { agent: false, port, path: '/v1/chat/completions', host: '127.0.0.1' }
  return {
    ...child,
    /** A stream with its first piece, and no second one. */
    idleStream: async () => {
      const messages = [{ role: 'user', content: 'idle' }]
      const response = await postJson(to, { messages, stream: true })
      await once(response, 'data')
      return response
    },
    /** When the plugin has seen clients go since it was asked last, in ms of the system's clock. */
    aborts: async () => {
      let text = ''
      for await (const part of await postJson(to, { messages: [{ role: 'user', content: 'aborts' }] }))
        text += part
      return JSON.parse(JSON.parse(text).choices[0].message.content)
    },
  }
}

async function start(file, path) {
  const child = await startChild(fileURLToPath(new URL(file, import.meta.url)), [])
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const port = await child.ask('port')
  const post = (members) => postJson({ agent, port, path, host: '127.0.0.1' }, members)
  return {
    ...child,
    /** One answer, read to its end. */
    chat: async () => {
      const response = await post({ max_tokens: 1 })
      for await (const _ of response);
    },
    /** Reads a stream; returns how many events came. */
    events: async (count) => {
      const response = await post({ max_tokens: count, stream: true })
      let ends = 0
      for await (const part of response) ends += lineEndsIn(part)
      return ends / 2
    },
    /** Resolves when the first bytes of a stream of one piece are there, and then reads the rest. */
    firstEvent: async () => {
      const response = await post({ max_tokens: 1, stream: true })
      const iterator = response[Symbol.asyncIterator]()
      await iterator.next()
      return async () => {
        while (!(await iterator.next()).done);
      }
    },
    stop: async () => {
      agent.destroy()
      await child.stop()
    },
  }
}

function postJson(to, members) {
  const messages = [{ role: 'user', content: 'hello' }]
  const body = JSON.stringify({ model: 'echo_llm', messages, ...members })
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  return new Promise((resolve, reject) => {
    request({ ...to, method: 'POST', headers }, resolve)
      .on('error', reject)
      .end(body)
  })
}

function lineEndsIn(bytes) {
  let count = 0
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) count += 1
  return count
}
