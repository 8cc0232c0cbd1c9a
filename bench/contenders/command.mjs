import { fileURLToPath } from 'node:url'
import { startJsonClient } from './json-client.mjs'

const inRepo = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** The project from outside: `appfactory-host` on stdio, and a client that speaks plain JSON. */
export async function start() {
  const { request, pieces, ...client } = startJsonClient([
    inRepo('packages/host/bin/appfactory-host.js'),
    ...['--plugins-dir', inRepo('bench/plugins')],
    ...['--log-dir', inRepo('out/bench-logs')],
  ])
  await request('plugin/load', { name: 'echo_llm' })
  const complete = { plugin: 'echo_llm', method: 'complete' }
  return {
    ...client,
    call: (prompt) => request('plugin/call', { ...complete, args: { prompt } }),
    pieces: (count, credit) =>
      pieces(
        { plugin: 'echo_llm', method: 'stream_complete', args: { prompt: 'hello', max_tokens: count } },
        credit,
      ),
  }
}
