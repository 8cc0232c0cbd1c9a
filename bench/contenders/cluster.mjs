import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Cluster } from '@appfactory/cluster'
import { NatsCable } from '../../packages/cluster/dist/nats-cable.js'
import { startAll, stopAll } from '../rounds.mjs'

const inRepo = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** Processes of `appfactory-host serve --nats` in a namespace of their own, and a caller of them in this one. */
export async function startCluster(
  url,
  { namespace = 'bench', nodes = 1, load = ['echo_llm', 'tone_tts'] } = {},
) {
  const names = Array.from({ length: nodes }, (_, index) => `node-${index + 1}`)
  const starts = names.map((node) => [node, () => startNode({ url, namespace, node, load })])
  const started = await startAll(Object.fromEntries(starts))
  const cluster = await Cluster.connect({ nats: url, namespace })
  const call = (plugin, method, args) => cluster.call(plugin, method, args)
  const tts = load.includes('tone_tts') ? await cluster.get('tone_tts') : undefined
  return {
    cluster,
    started,
    pid: Object.values(started)[0].pid,
    call: (prompt) => call(load[0], 'complete', { prompt }),
    bytes: async () => (await tts.synthesize('x')).audio,
    pieces: (count) => piecesOf(cluster, count),
    memoryMb: () => residentMb(Object.values(started)[0].pid),
    stop: async () => {
      await cluster.close()
      await stopAll(started)
    },
  }
}

/** One `appfactory-host serve --nats`. */
export async function startNode({ url, namespace, node, load }) {
  const child = spawn(
    process.execPath,
    [
      ...[inRepo('packages/host/bin/appfactory-host.js'), 'serve', '--nats', url],
      ...['--namespace', namespace, '--node', node],
      ...['--plugins-dir', inRepo('bench/plugins'), '--log-dir', inRepo('out/bench-logs')],
      ...load.flatMap((plugin) => ['--load', plugin]),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const exited = once(child, 'exit')
  const first = await Promise.race([once(child.stdout.setEncoding('utf8'), 'data'), exited])
  if (String(first[0]).trim() !== `Node ${node}: ready`) throw new Error(`Node ${node} has not come up`)
  return {
    pid: child.pid,
    kill: (signal) => void child.kill(signal),
    stop: async () => {
      child.kill('SIGTERM')
      await exited
    },
  }
}

async function piecesOf(cluster, count) {
  let got = 0
  const args = { prompt: 'hello', max_tokens: count }
  for await (const _ of cluster.stream('echo_llm', 'stream_complete', args)) got += 1
  return got
}

/** A caller of `node-1` that asks for a stream without end and for 12 MiB, and reads nothing. */
export async function startDeaf(url) {
  const cable = await NatsCable.connect({ nats: url, namespace: 'bench' })
  const ask = async (plugin, calls) => {
    const { link } = await cable.dial(plugin, 'node-1')
    const lines = calls.map((params, id) =>
      JSON.stringify({ jsonrpc: '2.0', id, method: 'plugin/call', params: { plugin, ...params } }),
    )
    link.output.write(`${lines.join('\n')}\n`)
  }
  const endless = { prompt: 'hello', max_tokens: 1e9 }
  await ask('echo_llm', [{ method: 'stream_complete', args: endless, stream: true }])
  await ask('tone_tts', Array(12).fill({ method: 'synthesize', args: { text: 'x' } }))
  return { stop: () => cable.close() }
}

/** What a process takes of the memory; 0 where the system does not tell. */
function residentMb(pid) {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1000
  } catch {
    return 0
  }
}
