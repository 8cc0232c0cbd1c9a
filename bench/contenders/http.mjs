import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
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
    /** One answer, read to its end. */
    chat: async () => {
      for await (const _ of await postJson(to, { messages: [{ role: 'user', content: 'hello' }] }));
    },
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
    /** Opens a socket of /realtime on a plugin that hears a word in each piece of sound. */
    openEars: () => openEars(port),
    stop: async () => {
      agent.destroy()
      await child.stop()
    },
  }
}

async function openEars(port) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/realtime?model=words_stt`)
  const next = async (type) => {
    for (;;) {
      const [data] = await once(socket, 'message')
      if (JSON.parse(data).type === type) return
    }
  }
  await next('session.created')
  const session = { type: 'transcription', audio: { input: { turn_detection: null } } }
  socket.send(JSON.stringify({ type: 'session.update', session }))
  await next('session.updated')
  // 40 ms at 24 kHz.
  const append = JSON.stringify({ type: 'input_audio_buffer.append', audio: 'A'.repeat(2560) })
  return {
    /** Sends a piece of sound; resolves when its word is there. */
    hear: () => {
      const heard = next('conversation.item.input_audio_transcription.delta')
      socket.send(append)
      return heard
    },
    close: () => socket.close(),
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

/** The gateway with plugins that speak and listen. */
export async function startAudioGateway() {
  const { post, ...started } = await startSound('../children/gateway-audio.mjs')
  return {
    ...started,
    /** An answer with speech. */
    speak: (response_format, input) => {
      const body = JSON.stringify({ model: 'speech_tts', input, response_format })
      return post('/v1/audio/speech', { 'content-type': 'application/json' }, [Buffer.from(body)])
    },
    /** Has a file heard. */
    upload: (file) => post('/v1/audio/transcriptions', { 'content-type': formType }, formOf(file)),
  }
}

/** What node:http does with as many bytes. */
export async function startBareSound() {
  const { post, ...started } = await startSound('../children/http.mjs')
  return {
    ...started,
    bytes: () => post('/bytes', {}, []),
    upload: (file) => post('/upload', { 'content-type': formType }, formOf(file)),
  }
}

const boundary = 'boundary-of-the-form'
const formType = `multipart/form-data; boundary=${boundary}`

function formOf(file) {
  const part = (name) => `--${boundary}\r\ncontent-disposition: form-data; name="${name}"`
  const head = `${part('model')}\r\n\r\nlength_stt\r\n${part('file')}; filename="a.wav"\r\n\r\n`
  return [Buffer.from(head), file, Buffer.from(`\r\n--${boundary}--\r\n`)]
}

async function startSound(file) {
  const child = await startChild(fileURLToPath(new URL(file, import.meta.url)), [])
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const port = await child.ask('port')
  return {
    ...child,
    post: (path, headers, parts) => postBytes({ agent, port, path, host: '127.0.0.1' }, headers, parts),
    stop: async () => {
      agent.destroy()
      await child.stop()
    },
  }
}

function postBytes(to, headers, parts) {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return new Promise((resolve, reject) => {
    const sent = request(
      { ...to, method: 'POST', headers: { ...headers, 'content-length': length } },
      resolve,
    )
    sent.on('error', reject)
    for (const part of parts) sent.write(part)
    sent.end()
  })
}
