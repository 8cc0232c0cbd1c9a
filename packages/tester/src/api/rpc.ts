import { bytes } from '../parts/format.js'

/** What a call came to that brought no result. */
export class CallError extends Error {
  override readonly name = 'CallError'
  readonly code: number | undefined
  readonly data: unknown

  constructor(message: string, code?: number, data?: unknown) {
    super(message)
    this.code = code
    this.data = data
  }
}

export interface CallOptions {
  signal?: AbortSignal
  /** Takes the pieces of a stream, those that have arrived together at once. */
  onPieces?: (pieces: unknown[]) => void
  /** An argument in pieces: the name of its input, and what to send. */
  input?: readonly unknown[]
}

interface Message {
  id?: number
  method?: string
  params?: { value?: unknown }
  result?: unknown
  error?: { code: number; message: string; data?: unknown }
}

/** Most that the tester takes at once, in bytes. */
const maxBodyBytes = 64 * 1024 * 1024

let lastId = 0

/**
 * Calls a method of the tester: a request and the pieces of its input are the body, the pieces of the answer and the
 * answer come back, one JSON message a line. An abort cancels the call in the plugin.
 */
export async function call<Result>(
  method: string,
  params: object = {},
  { signal, onPieces, input = [] }: CallOptions = {},
): Promise<Result> {
  const id = ++lastId
  const lines = [{ jsonrpc: '2.0', id, method, params }, ...inputLines(id, input)]
  const body = new Blob(lines.map((line) => `${JSON.stringify(line)}\n`))
  if (body.size > maxBodyBytes) throw tooLarge(body.size)
  const response = await fetch('/rpc', { method: 'POST', body, ...(signal ? { signal } : {}) }).catch(explain)
  if (!response.ok || !response.body) throw refused(response.status)
  let last: Message | undefined
  for await (const messages of messagesOf(response.body)) {
    const pieces = messages.filter((message) => message.method === '$/stream')
    if (pieces.length > 0) onPieces?.(pieces.map((piece) => piece.params?.value))
    last = messages.find((message) => message.id !== undefined && message.method === undefined) ?? last
  }
  if (!last) throw new CallError('The answer ended too early. Is the tester still running?')
  if (last.error) throw new CallError(last.error.message, last.error.code, last.error.data)
  return last.result as Result
}

function inputLines(id: number, input: readonly unknown[]): object[] {
  if (input.length === 0) return []
  const items = input.map((value, seq) => ({ jsonrpc: '2.0', method: '$/input', params: { id, seq, value } }))
  return [...items, { jsonrpc: '2.0', method: '$/input', params: { id, seq: input.length, done: true } }]
}

async function* messagesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Message[]> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let parts: string[] = []
  for (;;) {
    const { value, done } = await reader.read().catch(explain)
    if (done) return
    const [first = '', ...rest] = decoder.decode(value, { stream: true }).split('\n')
    parts.push(first)
    const tail = rest.pop()
    if (tail === undefined) continue
    const lines = [parts.join(''), ...rest]
    parts = [tail]
    yield lines.filter((line) => line !== '').map((line): Message => JSON.parse(line))
  }
}

/** Told before it is sent: a server that refuses a body cuts it off, and the browser can't say why. */
function tooLarge(size: number): CallError {
  const text = `The call has ${bytes(size)} with its bytes in base64; the limit is ${bytes(maxBodyBytes)}. Use a shorter sound, or “in pieces”.`
  return new CallError(text, -32053)
}

function explain(error: unknown): never {
  if (error instanceof DOMException && error.name === 'AbortError')
    throw new CallError('Nobody waits for the answer any more.', -32800, { left: true })
  throw new CallError(
    'The tester does not answer. Start appfactory-host tester again and open the URL it prints.',
  )
}

function refused(status: number): CallError {
  if (status === 401 || status === 403)
    return new CallError('This page is of an earlier tester. Open the URL that the running one has printed.')
  return new CallError(`The tester answered with status ${status}.`)
}
