import { clipOf } from '../form/clips.js'
import type { Invocation } from './run.js'

/** The ways in which a call can be taken along. */
export const copyFormats = { 'JSON-RPC line': jsonRpc, 'shell command': shell, TypeScript: typescript }

export function jsonRpc({ plugin, method, args, timeout, inPieces }: Invocation): string {
  const stream = method.kind === 'stream' && inPieces ? { stream: true } : {}
  const params = { plugin, method: method.name, args, ...(timeout ? { timeout } : {}), ...stream }
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'plugin/call', params })
}

export function shell({ plugin, pluginsDir, method, args, timeout }: Invocation): string {
  const files = Object.entries(args).flatMap(([name, value]) => {
    const clip = clipOf(value)
    return clip ? [`--file ${name.replace(/_b64$/, '')}=${quote(clip.label)}`] : []
  })
  const rest = Object.fromEntries(Object.entries(args).filter(([, value]) => !clipOf(value)))
  const given = Object.keys(rest).length > 0 ? [`--args ${quote(JSON.stringify(rest))}`] : []
  const limit = timeout ? [`--timeout ${timeout}`] : []
  return [
    `npx appfactory-host call ${plugin} ${method.name} --plugins-dir ${quote(pluginsDir)}`,
    ...given,
    ...files,
    ...limit,
  ].join(' ')
}

export function typescript({ plugin, pluginsDir, method, args, timeout, inPieces }: Invocation): string {
  const options = timeout ? `, { timeoutMs: ${timeout} }` : ''
  const files = Object.values(args).flatMap((value) => clipOf(value) ?? [])
  const shown = files.reduce(
    (text, { id, label }) => text.replace(`'${id}'`, `readFileSync(${literal(label)}, 'base64')`),
    literal(args),
  )
  const given = `${literal(plugin)}, ${literal(method.name)}, ${shown}${options}`
  const isStream = method.kind === 'stream' && inPieces
  return [
    ...(files.length > 0 ? ["import { readFileSync } from 'node:fs'"] : []),
    "import { PluginHost } from '@appfactory/host'",
    '',
    `await using host = new PluginHost({ pluginsDir: ${literal(pluginsDir)} })`,
    `await host.load(${literal(plugin)})`,
    isStream
      ? `for await (const piece of host.stream(${given})) console.log(piece)`
      : `console.log(await host.call(${given}))`,
    '',
  ].join('\n')
}

/** For a POSIX shell: nothing in it means anything. */
function quote(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

/** A value in TypeScript, strings in single quotes. */
function literal(value: unknown): string {
  if (typeof value === 'string')
    return `'${JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  const entries = Object.entries(value).map(
    ([key, each]) => `${/^[a-z_$][\w$]*$/i.test(key) ? key : literal(key)}: ${literal(each)}`,
  )
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`
}
