import { readKeyFile } from './key-file.js'
import { UsageError } from './usage-error.js'

type Env = Readonly<Record<string, string | undefined>>
/** What `gateway` has in the settings. */
export type Values = Readonly<Record<string, unknown>>

/** Which plugins are there from the start. */
interface Loading {
  load: readonly string[]
  autoLoad: boolean
}

/**
 * The options of `serveGateway`, as the settings and the environment say.
 *
 * @throws UsageError that names the file of keys, or the flag.
 */
export async function gatewayOptions(
  { keyFile, limits = {}, wyoming = [], ...options }: Values,
  env: Env,
  loading: Loading = { load: [], autoLoad: false },
): Promise<Record<string, unknown>> {
  const numbers = Object.entries(Object(limits)).map(([name, value]) => [name, Number(value)])
  return {
    ...options,
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
  if (!autoLoad && !load.includes(plugin))
    throw new UsageError(`--wyoming ${text}: ${plugin} is not loaded; add --load ${plugin}`)
  return { port, plugin }
}

/** The keys of the file, and those of the environment. @throws UsageError that names the file. */
export async function readKeys(keyFile: unknown, env: Env): Promise<unknown[]> {
  const ofFile = keyFile === undefined ? [] : await readKeyFile(String(keyFile))
  return [...ofFile, ...wordsOf(env['APPFACTORY_GATEWAY_KEYS'])]
}

function wordsOf(text = ''): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '')
}
