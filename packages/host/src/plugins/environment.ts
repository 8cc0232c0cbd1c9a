import { PluginError } from '@appfactory/sdk'
import { shortened } from '@appfactory/sdk/internal'

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

/** Valid names of variables on every system. */
const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/

/** Longest name, in characters. */
const longestName = 200

/** Longest value, in characters: below the limit of every system. */
const longestValue = 30_000

/** Variables that change the code that a process, or a Python that it starts, runs: they can't be granted. */
const forbiddenVariables =
  /^(NODE_OPTIONS|NODE_PATH|LD_.*|DYLD_.*|__PYVENV_LAUNCHER__|PYTHON(PATH|HOME|STARTUP|INSPECT|USERBASE|EXECUTABLE|BREAKPOINT|WARNINGS|PLATLIBDIR|PYCACHEPREFIX|CASEOK))$/i

/** An exception that the operator may grant, for engines with libraries in other folders. */
const operatorsVariable = 'LD_LIBRARY_PATH'

/** Variables for a plugin: names of the host's own, or names with values. */
export type Env = readonly string[] | Readonly<Record<string, string>>

/** The key of a configuration file that grants variables. */
export const environmentKey = '$env'

/** Grants of variables, unchecked: each an array of names, or an object of values. */
export interface Grants {
  /** `$env` of the configuration file, which the operator writes. */
  operator?: unknown
  /** `env` of the host's settings for the plugin. */
  settings?: unknown
  /** The option `env` of the application. */
  caller?: unknown
}

/**
 * The environment of a plugin's process: the variables of every plugin, and those that its configuration grants.
 *
 * @throws PluginError CONFIG_INVALID if a grant is malformed or names a variable that can't be granted.
 */
export function pluginEnvironment(
  plugin: string,
  { operator, settings, caller }: Grants,
  warn: (message: string) => void = () => {},
): Record<string, string> {
  const own = Object.entries(process.env).filter(
    ([name]) => allowedVariables.has(name.toUpperCase()) || name.startsWith('LC_'),
  )
  const byOperator = grantedVariables(
    { plugin, key: environmentKey, exceptions: [operatorsVariable] },
    operator,
  )
  if (byOperator.some(([name]) => name === operatorsVariable))
    warn(
      `${environmentKey}.${operatorsVariable} changes which libraries the plugin loads; its configuration file grants it`,
    )
  const byCode = [settings, caller].flatMap((grant) =>
    grantedVariables({ plugin, key: 'env', exceptions: [] }, grant),
  )
  const entries = [...own, ...byOperator, ...byCode]
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined))
}

/** Where a grant stands, and which of the forbidden variables it may name. */
interface GrantPlace {
  plugin: string
  key: string
  exceptions: readonly string[]
}

function grantedVariables(place: GrantPlace, grant: unknown): [string, string | undefined][] {
  if (grant === undefined) return []
  if (typeof grant !== 'object' || grant === null)
    throw invalid(place, '', 'must be an array of names, or an object of names and values')
  if (Array.isArray(grant)) {
    // Anything but text is not a name.
    const names = grant.filter((name): name is string => typeof name === 'string')
    return names.map((name) => [checkedName(place, name), process.env[name]])
  }
  return Object.entries(grant).map(([name, value]: [string, unknown]) => [
    checkedName(place, name),
    checkedValue(place, name, value),
  ])
}

function checkedName(place: GrantPlace, name: string): string {
  if (name.length > longestName || !variableName.test(name))
    throw invalid(place, name, 'is not a name of a variable: use letters, digits and _ only')
  if (forbiddenVariables.test(name) && !place.exceptions.includes(name))
    throw invalid(place, name, 'changes what code a process runs and can’t be granted')
  return name
}

function checkedValue(place: GrantPlace, name: string, value: unknown): string {
  if (typeof value !== 'string') throw invalid(place, name, 'must be a text, or a name in an array of names')
  if (value.includes('\0')) throw invalid(place, name, 'holds a NUL, which ends a variable')
  if (value.length > longestValue) throw invalid(place, name, `is longer than ${longestValue} characters`)
  return value
}

function invalid({ plugin, key }: GrantPlace, name: string, reason: string): PluginError {
  const path = name === '' ? key : `${key}.${shortened(name)}`
  return new PluginError('CONFIG_INVALID', `Configuration of plugin "${plugin}": ${path}: ${reason}`, {
    plugin,
    issues: [{ path, message: reason }],
  })
}
