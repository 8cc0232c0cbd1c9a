import { stat } from 'node:fs/promises'
import { readSmallFile } from '../small-file.js'
import { readKeyFile, unreadable } from './key-file.js'
import { UsageError } from './usage-error.js'

/** Longest file of a certificate, in bytes. */
const maxPemBytes = 1024 * 1024

type Env = Readonly<Record<string, string | undefined>>
/** What `gateway` has in the settings. */
export type Values = Readonly<Record<string, unknown>>

/** Which plugins are there from the start. */
export interface Loading {
  /** By name; the values mean nothing here. */
  load: ReadonlyMap<string, unknown>
  autoLoad: boolean
}

/**
 * The options of `serveGateway`, as the settings and the environment say.
 *
 * @throws UsageError that names the file of keys, or the flag.
 */
export async function gatewayOptions(
  { keyFile, limits = {}, wyoming = [], tlsCert, tlsKey, ...options }: Values,
  env: Env,
  loading: Loading = { load: new Map(), autoLoad: false },
): Promise<Record<string, unknown>> {
  const numbers = Object.entries(Object(limits)).map(([name, value]) => [name, Number(value)])
  const tls = await tlsOf(tlsCert, tlsKey)
  await checkFolder('--mcp-root', options['mcpRoot'])
  return {
    ...options,
    ...(tls ? { tls } : {}),
    limits: Object.fromEntries(numbers),
    wyoming: [wyoming].flat().map((text) => wyomingPortOf(String(text), loading)),
    keys: await readKeys(keyFile, env),
  }
}

/** `10300` or `tts_flite=10200` */
function wyomingPortOf(text: string, { load, autoLoad }: Loading): { port: number; plugin?: string } {
  const [, plugin, digits = ''] = /^(?:([^=]+)=)?(\d+)$/.exec(text.trim()) ?? []
  const port = Number(digits)
  if (digits === '' || port > 65_535)
    throw new UsageError(`--wyoming takes PORT or PLUGIN=PORT, not ${text.slice(0, 80)}`)
  if (plugin === undefined) return { port }
  // Who asks there would find nothing.
  if (!autoLoad && !load.has(plugin))
    throw new UsageError(`--wyoming ${text}: ${plugin} is not loaded; add --load ${plugin}`)
  return { port, plugin }
}

/** @throws UsageError where a flag names no folder. */
export async function checkFolder(flag: string, path: unknown): Promise<void> {
  if (path === undefined) return
  const stats = await stat(String(path)).catch(() => undefined)
  if (!stats?.isDirectory()) throw new UsageError(`${flag} ${path}: there is no such folder`)
}

/** The keys of the file, and those of the environment. @throws UsageError that names the file. */
export async function readKeys(keyFile: unknown, env: Env): Promise<unknown[]> {
  const ofFile = keyFile === undefined ? [] : await readKeyFile(String(keyFile))
  return [...ofFile, ...wordsOf(env['APPFACTORY_GATEWAY_KEYS'])]
}

/** A certificate and its key, as PEM. */
async function tlsOf(
  certFile: unknown,
  keyFile: unknown,
): Promise<{ cert: string; key: string } | undefined> {
  if (certFile === undefined && keyFile === undefined) return undefined
  if (certFile === undefined || keyFile === undefined)
    throw new UsageError('--tls-cert and --tls-key need each other')
  return { cert: await readPem('--tls-cert', certFile), key: await readPem('--tls-key', keyFile) }
}

function readPem(flag: string, file: unknown): Promise<string> {
  return readSmallFile(String(file), maxPemBytes).catch((error: unknown) => {
    throw unreadable(flag, String(file), error)
  })
}

function wordsOf(text = ''): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '')
}
