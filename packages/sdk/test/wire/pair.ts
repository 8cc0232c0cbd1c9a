import { PassThrough } from 'node:stream'
import type { PluginError } from '@appfactory/sdk'
import { type IncomingCall, Peer, type PeerOptions, streamWindow } from '@appfactory/sdk/internal'
import type { RawMessage } from '../lines-process.js'

type Handle = (call: IncomingCall) => unknown
type End = Partial<PeerOptions>

/** Two peers, each the other's other end, joined by real streams. Every peer answers `ping`. */
export function joinPeers(left: End, right: End) {
  const leftToRight = new PassThrough()
  const rightToLeft = new PassThrough()
  return {
    left: new Peer({
      handle: answerPing(left.handle),
      ...rest(left),
      input: rightToLeft,
      output: leftToRight,
    }),
    right: new Peer({
      handle: answerPing(right.handle),
      ...rest(right),
      input: leftToRight,
      output: rightToLeft,
    }),
    leftToRight,
    rightToLeft,
  }
}

/** A peer whose other end is the test itself, which writes and reads bytes. */
export function rawEnd(options: End) {
  const input = new PassThrough()
  const output = new PassThrough()
  const peer = new Peer({ handle: answerPing(options.handle), ...rest(options), input, output })
  const received: (RawMessage | RawMessage[])[] = []
  const waiting: { matches(message: RawMessage | RawMessage[]): boolean; resolve(): void }[] = []
  let text = ''
  output.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (text + chunk).split('\n')
    text = lines.pop() ?? ''
    for (const line of lines) {
      const message = JSON.parse(line) as RawMessage | RawMessage[]
      received.push(message)
      for (const waiter of [...waiting]) if (waiter.matches(message)) waiter.resolve()
    }
  })

  function until(matches: (message: RawMessage | RawMessage[]) => boolean): Promise<void> {
    if (received.some(matches)) return Promise.resolve()
    return new Promise((resolve) => waiting.push({ matches, resolve }))
  }

  let settles = 0
  return {
    peer,
    input,
    received,
    until,
    write: (raw: string | Uint8Array) => input.write(raw),
    send: (message: unknown) => input.write(`${JSON.stringify(message)}\n`),
    /** Resolves once all that was sent before has been read, and what could be answered at once is answered. */
    async settle(): Promise<void> {
      const id = `settle-${++settles}`
      input.write(`${JSON.stringify({ jsonrpc: '2.0', id, method: 'ping' })}\n`)
      const isAnswer = (message: RawMessage | RawMessage[]): boolean =>
        !Array.isArray(message) && message.id === id
      await until(isAnswer)
      received.splice(received.findIndex(isAnswer), 1)
    },
  }
}

function answerPing(handle: Handle = () => undefined): Handle {
  return (call) => (call.method === 'ping' ? 'pong' : handle(call))
}

function rest({ handle: _handle, ...others }: End): End {
  return others
}

/** Something to wait for, settled from elsewhere. */
export function deferred<T = void>() {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

/** A message there and one back have passed, so that everything sent before has arrived. */
export async function quiet({ left, right }: ReturnType<typeof joinPeers>): Promise<void> {
  await left.request('ping', {})
  await right.request('ping', {})
  await left.request('ping', {})
}

/** The name of the code that `work` fails with. */
export async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  const error = await work.then(
    () => {
      throw new Error('it did not fail')
    },
    (reason: unknown) => reason,
  )
  return (error as PluginError).codeName
}

/** A stream of these items. */
export async function* pieces(items: readonly unknown[]): AsyncGenerator<unknown> {
  yield* items
}

/** Asks for an answer in pieces. */
export const credit = { stream: { credit: streamWindow } }
