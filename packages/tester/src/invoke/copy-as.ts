import { type Clip, clipsIn, mapClips, withBytes } from '../form/clips.js'
import type { Invocation } from './run.js'

/** The ways in which a call can be taken along. Files of sound are saved beside the last two. */
export const copyFormats = { 'JSON-RPC line': jsonRpc, 'shell command': shell, TypeScript: typescript }

export type CopyFormat = keyof typeof copyFormats

/** The files that a copied call reads. */
export function filesOf({ method, args }: Invocation, format: CopyFormat): readonly Clip[] {
  return format === 'JSON-RPC line' ? [] : clipsIn(args, method.args)
}

/** The plugin must be loaded; the bytes are in the line. */
export function jsonRpc({ plugin, method, args, timeout, inPieces }: Invocation): string {
  const stream = method.kind === 'stream' && inPieces ? { stream: true } : {}
  const given = withBytes(args, method.args)
  const params = { plugin, method: method.name, args: given, ...(timeout ? { timeout } : {}), ...stream }
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'plugin/call', params })
}

export function shell({ plugin, pluginsDir, method, args, config, timeout }: Invocation): string {
  const labels = new Map(
    Object.entries(mapClips(args, method.args, ({ label }) => new Code(label))).flatMap(([name, value]) =>
      value instanceof Code ? [[name, value.text] as const] : [],
    ),
  )
  const files = [...labels].map(([name, label]) => `--file ${name.replace(/_b64$/, '')}=${quote(label)}`)
  const rest = Object.fromEntries(
    Object.entries(withBytes(args, method.args)).filter(([name]) => !labels.has(name)),
  )
  const given = Object.keys(rest).length > 0 ? [`--args ${quote(JSON.stringify(rest))}`] : []
  const loadedWith = isGiven(config) ? [`--config ${quote(JSON.stringify(config))}`] : []
  const limit = timeout ? [`--timeout ${timeout}`] : []
  return [
    `npx --no-install appfactory-host call ${plugin} ${method.name} --plugins-dir ${quote(pluginsDir)}`,
    ...loadedWith,
    ...given,
    ...files,
    ...limit,
  ].join(' ')
}

export function typescript({
  plugin,
  pluginsDir,
  method,
  args,
  config,
  timeout,
  inPieces,
}: Invocation): string {
  const options = timeout ? `, { timeoutMs: ${timeout} }` : ''
  const withFiles = mapClips(
    args,
    method.args,
    ({ label }) => new Code(`readFileSync(${literal(label)}, 'base64')`),
  )
  const hasFiles = clipsIn(args, method.args).length > 0
  const given = `${literal(plugin)}, ${literal(method.name)}, ${literal(withFiles)}${options}`
  const isStream = method.kind === 'stream' && inPieces
  return [
    ...(hasFiles ? ["import { readFileSync } from 'node:fs'"] : []),
    "import { PluginHost } from '@appfactory/host'",
    '',
    `await using host = new PluginHost({ pluginsDir: ${literal(pluginsDir)} })`,
    `await host.load(${literal(plugin)}${isGiven(config) ? `, ${literal({ config })}` : ''})`,
    isStream
      ? `for await (const piece of host.stream(${given})) console.log(piece)`
      : `console.log(await host.call(${given}))`,
    '',
  ].join('\n')
}

/** An expression among values. */
class Code {
  constructor(readonly text: string) {}
}

function isGiven(config: Invocation['config']): boolean {
  return config !== undefined && Object.keys(config).length > 0
}

/** For a POSIX shell: nothing in it means anything. */
function quote(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

/** A value in TypeScript, strings in single quotes. */
function literal(value: unknown): string {
  if (value instanceof Code) return value.text
  if (typeof value === 'string')
    return `'${JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  const entries = Object.entries(value).map(
    ([key, each]) => `${/^[a-z_$][\w$]*$/i.test(key) ? key : literal(key)}: ${literal(each)}`,
  )
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`
}
