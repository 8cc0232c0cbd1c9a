import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { hasPython, writePlugins } from '../plugins.mjs'
import { leftIn, processesIn } from '../processes.mjs'

export const description = 'SIGKILLs of a host, whatever its plugins are doing'

const command = fileURLToPath(new URL('../../packages/host/bin/appfactory-host.js', import.meta.url))

/** The longest that a plugin may outlive its host, in ms. */
const limitMs = 3000

/** What the plugins do when the host is killed. */
const doings = ['nothing', 'starting', 'work', 'loop', 'stream']

/** The plugins that take turns. */
const names = hasPython ? ['one', 'one-python'] : ['one']

export async function run({ times = 20, random, invariants }) {
  let left = 0
  for (let begun = 0; begun < times; begun += 5) {
    const tries = Math.min(5, times - begun)
    const results = await Promise.all(
      Array.from({ length: tries }, (_, index) =>
        killOne(names[(begun / 5) % names.length], doings[index % doings.length], random.whole(0, 120)),
      ),
    )
    left += results.filter((pids) => pids.length > 0).length
  }
  console.log(
    `${times} hosts killed, plugins in ${hasPython ? 'Node and Python' : 'Node'}; left after ${limitMs} ms in ${left}`,
  )
  invariants.check(left === 0, `plugins outlived their host in ${left} of ${times} tries`)
}

async function killOne(plugin, doing, startMs) {
  const { root, remove } = writePlugins([plugin])
  const host = spawn(process.execPath, [command, '--plugins-dir', root, '--log-dir', `${root}/logs`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  host.stdin.on('error', () => {})
  const send = (id, method, params) =>
    host.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`)
  const complete = (prompt) =>
    send(2, 'plugin/call', { plugin, method: 'complete', args: { prompt: JSON.stringify(prompt) } })
  send(1, 'plugin/load', { name: plugin })
  if (doing === 'starting') {
    while (processesIn(root).length === 0) await delay(1)
    await delay(startMs)
  } else await once(host.stdout, 'data')
  if (doing === 'work') complete({ token: 'x', work: 60_000 })
  if (doing === 'loop') complete({ token: 'x', fault: 'loop' })
  if (doing === 'stream')
    send(2, 'plugin/call', {
      plugin,
      method: 'stream_complete',
      stream: true,
      args: { prompt: '{"token":"x","pieces":1000000}' },
    })
  await delay(50)
  host.kill('SIGKILL')
  const left = await leftIn(root, limitMs)
  for (const pid of left) process.kill(pid, 'SIGKILL')
  remove()
  return left
}
