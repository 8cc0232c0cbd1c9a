import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { Client } from '../client.mjs'
import { writePlugins } from '../plugins.mjs'

export const description = 'lines that are garbage, at both ends of the wire'

const batchSize = 2000

export async function run({ times = 50_000, random, invariants }) {
  await fromClient({ times, random, invariants })
  await fromPlugin({ times, random, invariants })
}

async function fromClient({ times, random, invariants }) {
  const { root, remove } = writePlugins(['one'])
  const client = new Client(root)
  await client.ask('plugin/load', { name: 'one' })
  const garbage = garbageLines(random)
  let lines = 0
  let owed = 0
  while (lines < times) {
    const batch = Array.from({ length: Math.min(batchSize, times - lines) }, garbage)
    lines += batch.length
    owed += batch.filter((line) => !isNotification(line) && line.toString('utf8').trim() !== '').length
    await client.write(Buffer.concat(batch.flatMap((line) => [line, newline])))
    const { result } = await client.ask('ping')
    invariants.check(result === 'pong', `after ${lines} lines of garbage the host does not answer`)
  }
  const { result } = await client.ask('plugin/call', {
    plugin: 'one',
    method: 'complete',
    args: { prompt: '{"token":"still here"}' },
  })
  invariants.check(
    result?.text === 'still here',
    `after the garbage a call ended with ${JSON.stringify(result)}`,
  )
  const answers = client.complaints + client.stray.length
  console.log(`from a client: ${lines} lines, ${owed} that an answer may be owed for, ${answers} answered`)
  invariants.check(answers <= owed, `${answers} answers for ${owed} lines`)
  invariants.check((await client.close()) === 0, 'the host did not end as it should')
  remove()
}

/** The plugin writes the garbage to its own standard output, between its messages. */
async function fromPlugin({ times, random, invariants }) {
  const { root, remove } = writePlugins(['one', 'two'])
  const garbage = garbageLines(random)
  writeFileSync(
    join(root, 'garbage'),
    Buffer.concat(Array.from({ length: batchSize }, garbage).flatMap((line) => [line, newline])),
  )
  const client = new Client(root)
  await client.ask('plugin/load', { name: 'one' })
  await client.ask('plugin/load', { name: 'two' })
  let lines = 0
  for (; lines < times; lines += batchSize) {
    const prompt = JSON.stringify({ token: String(lines), print: join(root, 'garbage') })
    const call = (plugin) => client.ask('plugin/call', { plugin, method: 'complete', args: { prompt } })
    const [one, two] = await Promise.all([
      call('one'),
      client.ask('plugin/call', {
        plugin: 'two',
        method: 'complete',
        args: { prompt: JSON.stringify({ token: String(lines) }) },
      }),
    ])
    invariants.check(
      one.result?.text === String(lines),
      `the plugin’s own call ended with ${JSON.stringify(one.error ?? one.result)}`,
    )
    invariants.check(
      two.result?.text === String(lines),
      `another plugin’s call ended with ${JSON.stringify(two.error ?? two.result)}`,
    )
  }
  const { result } = await client.ask('plugin/health', { name: 'one' })
  console.log(
    `from a plugin: ${lines} lines, ${result.details.noise} taken for noise, ${result.details.restarts} restarts`,
  )
  invariants.check(result.details.noise > 0, 'no noise was counted')
  invariants.check(
    client.stray.length === 0 && client.complaints === 0,
    'the client got what nobody asked for',
  )
  invariants.check((await client.close()) === 0, 'the host did not end as it should')
  remove()
}

const newline = Buffer.from('\n')

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

/** Makes one line at a time: flipped bytes, cut and doubled pieces of real traffic, and anything that fast-check thinks of. */
function garbageLines(random) {
  const anything = fc.sample(
    fc.oneof(
      fc.json(),
      fc.string({ unit: 'binary' }),
      fc.object().map((value) => JSON.stringify(value)),
    ),
    {
      numRuns: 500,
      seed: random.whole(0, 2 ** 31 - 1),
    },
  )
  const flip = (line) => {
    for (let times = random.whole(1, 4); times > 0; times--)
      line[random.whole(0, line.length - 1)] ^= 1 << random.whole(0, 7)
    return line
  }
  return () => {
    const line = Buffer.from(random.pick(traffic))
    const kind = random.whole(0, 3)
    const made = [
      () => flip(line),
      () => line.subarray(0, random.whole(0, line.length)),
      () => Buffer.concat([line, random.pick(traffic)]),
      () => Buffer.from(random.pick(anything)),
    ][kind]()
    return Buffer.from(made.map((byte) => (byte === 10 ? 32 : byte)))
  }
}

/** Whether the line, as JSON-RPC has it, gets no answer whatever is wrong with it. */
function isNotification(line) {
  try {
    const message = JSON.parse(new TextDecoder('utf8', { fatal: true }).decode(line))
    return typeof message?.method === 'string' && message.jsonrpc === '2.0' && message.id === undefined
  } catch {
    return false
  }
}
