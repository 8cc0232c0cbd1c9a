import { PluginError } from '@appfactory/sdk'

/** The variables of the host's environment that every plugin gets. Secrets stay behind. */
const allowedVariables = new Set([
  'PATH',
  'HOME',
  'LANG',
  'LANGUAGE',
  'TZ',
  'TMPDIR',
  'TEMP',
  'TMP',
  'USER',
  'LOGNAME',
  'SHELL',
  'SYSTEMROOT',
  'WINDIR',
  'COMSPEC',
  'PATHEXT',
  'APPDATA',
  'LOCALAPPDATA',
  'USERPROFILE',
  'PROGRAMDATA',
  'PROGRAMFILES',
])

/** Variables that change what code a process runs: nothing grants them. */
const forbiddenVariables = /^(NODE_OPTIONS|NODE_PATH|LD_.*|DYLD_.*)$/i

/** The key of a configuration that grants variables: `["NAME"]` of the host's own, or `{"NAME": "value"}`. */
export const environmentKey = '$env'

/**
 * The environment of a plugin's process: what every plugin gets, and what its configuration grants.
 *
 * @throws PluginError CONFIG_INVALID where `granted` is of another form, or names what nothing grants.
 */
export function pluginEnvironment(plugin: string, granted: readonly unknown[]): Record<string, string> {
  const own = Object.entries(process.env).filter(
    ([name]) => allowedVariables.has(name.toUpperCase()) || name.startsWith('LC_'),
  )
  const entries = [...own, ...granted.flatMap((grant) => grantedVariables(plugin, grant))]
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined))
}

function grantedVariables(plugin: string, grant: unknown): [string, string | undefined][] {
  if (grant === undefined) return []
  const variables: [string, unknown][] = Array.isArray(grant)
    ? grant.map((name) => [String(name), process.env[String(name)]])
    : Object.entries(typeof grant === 'object' && grant !== null ? grant : { [String(grant)]: null })
  return variables.map(([name, value]) => {
    if (forbiddenVariables.test(name))
      throw invalid(plugin, name, 'changes what code a process runs and can’t be granted')
    if (value !== undefined && typeof value !== 'string')
      throw invalid(plugin, name, 'must be a text, or a name in an array of names')
    return [name, value]
  })
}

function invalid(plugin: string, name: string, reason: string): PluginError {
  const path = `${environmentKey}.${name}`
  return new PluginError('CONFIG_INVALID', `Configuration of plugin "${plugin}": ${path}: ${reason}`, {
    plugin,
    issues: [{ path, message: reason }],
  })
}
