import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { startJsonClient } from './json-client.mjs'

const folder = new URL('../plugins/echo_llm/', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('manifest.json', folder), 'utf8'))

/** A plugin's process alone: a client that speaks plain JSON stands where the host would. */
export async function start() {
  const { request, pieces, ...client } = startJsonClient([
    fileURLToPath(import.meta.resolve('@appfactory/sdk/runtime')),
    fileURLToPath(new URL(manifest.entry_point, folder)),
  ])
  await request('plugin/handshake', {
    protocol_versions: [1],
    host_version: '0.0.0',
    manifest,
    max_message_bytes: 8 * 1024 * 1024,
    wants_config_schema: false,
  })
  await request('plugin/initialize', { config: {} })
  return {
    ...client,
    pieces: (count, credit) =>
      pieces({ method: 'stream_complete', args: { prompt: 'hello', max_tokens: count } }, credit),
  }
}
