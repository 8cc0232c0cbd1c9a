import { fileURLToPath } from 'node:url'
import { python } from '../python.mjs'
import { startJsonClient } from './json-client.mjs'

/** A Python process that echoes JSON-RPC on asyncio, and nothing else. */
export async function start() {
  const file = fileURLToPath(new URL('../children/asyncio-echo.py', import.meta.url))
  const { request, ...client } = startJsonClient(['-I', '-X', 'utf8', file], python)
  await request('echo', { text: 'hello' })
  return { ...client, call: (text) => request('echo', { text }) }
}
