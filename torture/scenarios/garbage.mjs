import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from '../client.mjs'
import { garbageLines, garbageNotifications, garbageRequests, isNotification } from '../garbage-lines.mjs'
import { writePlugins } from '../plugins.mjs'

export const description = 'lines that are garbage, at both ends of the wire'

const batchSize = 2000

export async function run({ times = 50_000, random, invariants }) {
  // Half of what a client sends is anything; of the rest it is known what is owed.
  const quarter = Math.floor(times / 4)
  await fromClient({ times: times - 2 * quarter, random, invariants })
  await notificationsFromClient({ times: quarter, random, invariants })
  await requestsFromClient({ times: quarter, random, invariants })
  await fromPlugin({ times, random, invariants })
}

async function fromClient({ times, random, invariants }) {
  let owed = 0
  const count = (line) => {
    if (!isNotification(line) && line.toString('utf8').trim() !== '') owed += 1
  }
  const client = await sendAll({ times, make: garbageLines(random), invariants, count })
  const answers = client.complaints + client.stray.length
  console.log(`from a client: ${times} lines, ${owed} that an answer may be owed for, ${answers} answered`)
  invariants.check(answers <= owed, `${answers} answers for ${owed} lines`)
}

async function notificationsFromClient({ times, random, invariants }) {
  const client = await sendAll({ times, make: garbageNotifications(random), invariants })
  const answers = client.complaints + client.stray.length
  console.log(`  ${times} notifications, ${answers} answered`)
  invariants.check(answers === 0, `notifications got ${answers} answers`)
}

async function requestsFromClient({ times, random, invariants }) {
  const client = await sendAll({ times, make: garbageRequests(random), invariants })
  const ids = client.stray.map(({ id }) => id)
  const answered = new Set(ids)
  const twice = ids.length - answered.size
  const foreign = [...answered].filter((id) => !/^g\d+$/.test(id) || Number(id.slice(1)) >= times)
  console.log(`  ${times} requests with an id, ${answered.size} answered, ${twice} answered twice`)
  invariants.check(answered.size === times, `of ${times} requests ${answered.size} were answered`)
  invariants.check(twice === 0, `${twice} requests were answered twice`)
  invariants.check(foreign.length === 0, `answers to ids that nobody sent: ${foreign.slice(0, 3)}`)
  invariants.check(client.complaints === 0, `${client.complaints} answers without the id of their request`)
}

/** All lines in batches; after each the host must answer, and after all of them a call. Resolves once the host has ended. */
async function sendAll({ times, make, invariants, count = () => {} }) {
  const { root, remove } = writePlugins(['one'])
  const client = new Client(root)
  await client.ask('plugin/load', { name: 'one' })
  for (let lines = 0; lines < times; ) {
    const batch = Array.from({ length: Math.min(batchSize, times - lines) }, make)
    lines += batch.length
    batch.forEach(count)
    await client.write(Buffer.concat(batch.flatMap((line) => [line, newline])))
    const { result } = await client.ask('ping')
    invariants.check(result === 'pong', `after ${lines} lines of garbage the host does not answer`)
  }
  const { result } = await client.ask('plugin/call', callOf('one', { token: 'still here' }))
  invariants.check(
    result?.text === 'still here',
    `after the garbage a call ended with ${JSON.stringify(result)}`,
  )
  // It ends when all its work is done: whatever it answers has been answered.
  invariants.check((await client.close()) === 0, 'the host did not end as it should')
  remove()
  return client
}

/** The plugin writes the garbage where its messages go, between them. */
async function fromPlugin({ times, random, invariants }) {
  const { root, remove } = writePlugins(['listening', 'other'])
  const client = new Client(root)
  await client.ask('plugin/load', { name: 'listening' })
  await client.ask('plugin/load', { name: 'other' })
  const garbage = garbageLines(random)
  const file = join(root, 'garbage')
  let lines = 0
  let owed = 0
  while (lines < times) {
    const batch = Array.from({ length: Math.min(batchSize, times - lines) }, garbage)
    lines += batch.length
    owed += batch.filter(mayBeRequest).length
    writeFileSync(file, Buffer.concat(batch.flatMap((line) => [line, newline])))
    const token = String(lines)
    const [one, two] = await Promise.all([
      client.ask('plugin/call', callOf('listening', { token, print: file })),
      client.ask('plugin/call', callOf('other', { token })),
    ])
    for (const { result, error } of [one, two])
      invariants.check(result?.text === token, `a call ended with ${JSON.stringify(error ?? result)}`)
  }
  // What the host answers to the last of the garbage comes before this call.
  const last = await client.ask('plugin/call', callOf('listening', { token: 'last' }))
  const answers = last.result?.metadata.answers
  const { result } = await client.ask('plugin/health', { name: 'listening' })
  const { noise, restarts } = result.details
  console.log(`from a plugin: ${lines} lines, ${noise} taken for noise, ${restarts} restarts`)
  console.log(`  ${owed} that hold a request of the plugin, ${answers?.all} answered`)
  invariants.check(noise > 0, 'no noise was counted')
  invariants.check(restarts === 0, `the plugin was restarted ${restarts} times`)
  invariants.check(answers?.withoutId === 0, `noise got ${answers?.withoutId} answers`)
  invariants.check(answers?.all <= owed, `${answers?.all} answers for ${owed} lines`)
  invariants.check(
    client.stray.length === 0 && client.complaints === 0,
    'the client got what nobody asked for',
  )
  invariants.check((await client.close()) === 0, 'the host did not end as it should')
  remove()
}

function callOf(plugin, prompt) {
  return { plugin, method: 'complete', args: { prompt: JSON.stringify(prompt) } }
}

/** A message that something was printed before is a message still. */
const mayBeRequest = (line) => line.includes('"id"') && line.includes('"method"')

const newline = Buffer.from('\n')
