import { readKeyFile } from './key-file.js'

type Env = Readonly<Record<string, string | undefined>>
type Values = Readonly<Record<string, unknown>>

/**
 * The options of `serveGateway`, as the settings and the environment say.
 *
 * @throws UsageError that names the file of keys.
 */
export async function gatewayOptions(
  { keyFile, limits = {}, ...options }: Values,
  env: Env,
): Promise<Record<string, unknown>> {
  const numbers = Object.entries(Object(limits)).map(([name, value]) => [name, Number(value)])
  return { ...options, limits: Object.fromEntries(numbers), keys: await readKeys(keyFile, env) }
}

/** The keys of the file, and those of the environment. @throws UsageError that names the file. */
export async function readKeys(keyFile: unknown, env: Env): Promise<unknown[]> {
  const ofFile = keyFile === undefined ? [] : await readKeyFile(String(keyFile))
  return [...ofFile, ...wordsOf(env['APPFACTORY_GATEWAY_KEYS'])]
}

function wordsOf(text = ''): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '')
}
