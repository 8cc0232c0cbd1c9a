import { pathToFileURL } from 'node:url'
import type { AnyPlugin } from '../contracts/base.js'
import { type ContractBinding, contractBindingOf, contractSymbol } from '../contracts/contract.js'
import { describeThrown, PluginError, read, systemCodeOf } from '../errors.js'
import { logThrown } from './log-thrown.js'
import { placeOf } from './place.js'
import { importTypeScript, type TypeScriptOptions } from './typescript.js'

export interface PluginClass {
  new (): AnyPlugin
  readonly name: string
  readonly [contractSymbol]: ContractBinding
}

/**
 * Imports an entry point and finds the class in it that extends a contract: `default`, `Plugin`, or the only one.
 *
 * @throws PluginError PLUGIN_LOAD_FAILED, DEPENDENCY_MISSING or CONTRACT_MISMATCH.
 */
export async function loadPluginClass(entryFile: string, options: TypeScriptOptions): Promise<PluginClass> {
  const exported = await importEntry(entryFile, options)
  // A CommonJS module's exports arrive as its default export.
  const inner = exported['default']
  const exports = typeof inner === 'object' && inner !== null ? { ...exported, ...readable(inner) } : exported
  if (isPluginClass(exports['default'])) return exports['default']
  if (isPluginClass(exports['Plugin'])) return exports['Plugin']
  const candidates = Object.entries(exports).filter(([, value]) => isPluginClass(value))
  const [first, second] = candidates
  if (first && !second) return first[1] as PluginClass
  throw new PluginError(
    'CONTRACT_MISMATCH',
    first ? tooMany(entryFile, candidates) : none(entryFile, exports),
  )
}

/** The properties of a module, but for those whose getters throw: it may have such for names that it gave up. */
function readable(module: object): Record<string, unknown> {
  return Object.fromEntries(Object.keys(module).map((key) => [key, read(module, key)]))
}

async function importEntry(entryFile: string, options: TypeScriptOptions): Promise<Record<string, unknown>> {
  try {
    if (/\.[cm]?ts$/.test(entryFile)) return await importTypeScript(entryFile, options)
    return (await import(pathToFileURL(entryFile).href)) as Record<string, unknown>
  } catch (error) {
    logThrown(error)
    const { message } = describeThrown(error)
    const dependency = missingPackage(error)
    if (dependency) {
      throw new PluginError(
        'DEPENDENCY_MISSING',
        `${message}. Install it in the plugin’s folder: npm install ${dependency}`,
        { missing: [dependency] },
      )
    }
    throw new PluginError('PLUGIN_LOAD_FAILED', `${entryFile} could not be imported: ${message}`, {
      place: placeOf(error),
    })
  }
}

/** The package of a failed bare import; undefined for any other failure. */
function missingPackage(error: unknown): string | undefined {
  const code = systemCodeOf(error)
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') return undefined
  const specifier = /Cannot find (?:package|module) '([^']+)'/.exec(describeThrown(error).message)?.[1]
  if (!specifier || /^[a-z]:[\\/]/i.test(specifier)) return undefined
  // Of a path inside a package, npm installs the package; it would take lodash/fp for a repository.
  return /^(?:@[\w.~-]+\/)?[a-z0-9][\w.~-]*/i.exec(specifier)?.[0]
}

/** A class under a contract; the contracts themselves, exported along, do not count. */
function isPluginClass(value: unknown): value is PluginClass {
  return contractBindingOf(value) !== undefined && !Object.hasOwn(value as object, contractSymbol)
}

function tooMany(entryFile: string, candidates: readonly [string, unknown][]): string {
  const names = candidates.map(([name]) => name).join(', ')
  return `${entryFile} exports several plugin classes (${names}); export the one to run as default or as Plugin`
}

function none(entryFile: string, exports: Record<string, unknown>): string {
  const names = Object.keys(exports).join(', ') || 'nothing'
  return `${entryFile} exports no class that extends a contract (it exports ${names}); export one as default`
}
