import fc from 'fast-check'

/** Real traffic, as a client and a plugin send it. */
const traffic = [
  {
    jsonrpc: '2.0',
    id: 'x1',
    method: 'plugin/call',
    params: { plugin: 'one', method: 'complete', args: { prompt: '{"token":"x"}' } },
  },
  { jsonrpc: '2.0', id: 'x2', method: 'ping' },
  { jsonrpc: '2.0', id: 'x3', result: { text: 'é日本', finish_reason: 'stop' } },
  { jsonrpc: '2.0', method: '$/cancelRequest', params: { id: 'x1' } },
  { jsonrpc: '2.0', method: '$/credit', params: { id: 'x1', n: 3 } },
  { jsonrpc: '2.0', method: '$/stream', params: { id: 'x1', seq: 0, value: { text: 'a' } } },
  { jsonrpc: '2.0', id: 'x4', error: { code: -32603, message: 'no' } },
].map((message) => Buffer.from(JSON.stringify(message)))

/** Requests without an id: whatever is wrong with them, there is nobody to answer. */
const notifications = [
  { jsonrpc: '2.0', method: 'ping' },
  {
    jsonrpc: '2.0',
    method: 'plugin/call',
    params: { plugin: 'one', method: 'complete', args: { prompt: 'x' } },
  },
  { jsonrpc: '2.0', method: 'events/subscribe', params: { types: ['nothing'] } },
  { jsonrpc: '2.0', method: '$/cancelRequest', params: { id: 'x1' } },
  { jsonrpc: '2.0', method: '$/credit', params: { id: 'x1', n: 3 } },
].map((message) => JSON.stringify(message))

/** Makes one line at a time: flipped bytes, cut and doubled pieces of real traffic, and anything that fast-check thinks of. */
export function garbageLines(random) {
  const anything = fc.sample(
    fc.oneof(
      fc.json(),
      fc.string({ unit: 'binary' }),
      fc.object().map((value) => JSON.stringify(value)),
    ),
    { numRuns: 500, seed: random.whole(0, 2 ** 31 - 1) },
  )
  return () => {
    const line = Buffer.from(random.pick(traffic))
    const kind = random.whole(0, 3)
    const made = [
      () => flip(line, random),
      () => line.subarray(0, random.whole(0, line.length)),
      () => Buffer.concat([line, random.pick(traffic)]),
      () => Buffer.from(random.pick(anything)),
    ][kind]()
    return onOneLine(made)
  }
}

/** Makes flipped bytes of notifications that are notifications still. */
export function garbageNotifications(random) {
  return () => until(() => onOneLine(flip(Buffer.from(random.pick(notifications)), random)), isNotification)
}

/** Makes flipped bytes of requests that keep their id, each of them its own: `g0`, `g1`… */
export function garbageRequests(random) {
  let made = 0
  return () => {
    const id = `g${made++}`
    const request = { jsonrpc: '2.0', id, ...JSON.parse(random.pick(notifications)) }
    return until(
      () => onOneLine(flip(Buffer.from(JSON.stringify(request)), random)),
      (line) => parsed(line)?.id === id && isRequest(parsed(line)),
    )
  }
}

/** Whether the line, as JSON-RPC has it, gets no answer whatever is wrong with it. */
export function isNotification(line) {
  const message = parsed(line)
  return isRequest(message) && message.id === undefined
}

const isRequest = (message) => typeof message?.method === 'string' && message.jsonrpc === '2.0'

function parsed(line) {
  try {
    return JSON.parse(new TextDecoder('utf8', { fatal: true }).decode(line))
  } catch {
    return undefined
  }
}

function until(make, holds) {
  for (;;) {
    const made = make()
    if (holds(made)) return made
  }
}

function flip(line, random) {
  for (let times = random.whole(1, 4); times > 0; times--)
    line[random.whole(0, line.length - 1)] ^= 1 << random.whole(0, 7)
  return line
}

const onOneLine = (bytes) => Buffer.from(bytes.map((byte) => (byte === 10 ? 32 : byte)))
