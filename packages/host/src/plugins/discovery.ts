import { readdir, realpath } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Manifest } from '@appfactory/sdk'
import { listed, parseJson, quoted, shortened, systemCodeOf } from '@appfactory/sdk/internal'
import { checkManifest, namePattern, wrongDependencies } from '@appfactory/sdk/manifest'
import semver from 'semver'
import { discoveryFailed, manifestMissing, outsidePlugins, pluginUnreadable, reasonOf } from '../errors.js'
import { isShortage } from '../shortage.js'
import { readSmallFile } from '../small-file.js'
import { hostVersion } from '../version.js'
import { type EntryOptions, isInside, resolveEntry } from './entry.js'
import { unknownPermissions, unlimitedPermissions } from './permissions.js'
import type { PluginPackage } from './project-packages.js'

/** A folder with a manifest. */
export interface PluginFolder {
  /** The manifest's name; the folder's if the manifest is invalid. */
  name: string
  /** Absolute path of the folder. */
  dir: string
  /** Why it can’t be loaded. */
  errors: string[]
  /** What to correct, though it can be loaded. */
  warnings: string[]
  /** The npm package that it is, where it was found as a dependency of the project. */
  package?: string
}

/** How a folder is inspected. */
export interface InspectOptions extends EntryOptions {
  /** The folder is that npm package, so it may have another name than the plugin. */
  package?: string
}

/** A plugin that can be loaded. */
export interface ValidPlugin extends PluginFolder {
  /** Whether it can be loaded. */
  valid: true
  /** Its manifest.json; `runtime` is what its entry point is run with. */
  manifest: Manifest
  /** Absolute path of the entry point. */
  entryFile: string
}

/** A plugin that can't be loaded: `errors` says why. The rest is there as far as it could be read. */
export interface InvalidPlugin extends PluginFolder {
  /** Whether it can be loaded. */
  valid: false
  /** Its manifest.json, if that could be read. */
  manifest?: Manifest
  /** Absolute path of the entry point, if there is one. */
  entryFile?: string
}

/** A folder with a manifest.json. `valid` tells whether it can be loaded. */
export type DiscoveredPlugin = ValidPlugin | InvalidPlugin

/** The result of a scan of the plugins folders. */
export interface Discovery {
  /** How many folders have a manifest.json. */
  discovered: number
  /** How many plugins can be loaded. */
  valid: number
  /** How many can’t be loaded. */
  invalid: number
  /** All of them, by name. */
  plugins: DiscoveredPlugin[]
}

/** Where plugins are, unless somebody says otherwise. */
export const defaultPluginsDir = './plugins'

/** Longest manifest.json, in bytes. */
const maxManifestBytes = 1024 * 1024

/** What is looked through for plugins. */
export interface Places {
  /** Each folder in them that has a manifest.json. */
  dirs: readonly string[]
  /** These too, behind the folders. Default: none. */
  packages?: readonly PluginPackage[]
}

/**
 * Finds plugins.
 *
 * @param inspect Inspects one folder.
 * @throws PluginError DISCOVERY_FAILED if a folder of `dirs` can't be read.
 */
export async function discoverPlugins(
  { dirs, packages = [] }: Places,
  options: EntryOptions = {},
  inspect = inspectPlugin,
): Promise<Discovery> {
  const folders = (await Promise.all(dirs.map((dir) => subfolders(dir, packages.length > 0)))).flat()
  const plugins: DiscoveredPlugin[] = []
  const firstOfName = new Map<string, DiscoveredPlugin>()
  const add = (plugin: DiscoveredPlugin): void => {
    plugins.push(markIfShadowed(plugin, firstOfName.get(plugin.name)))
    if (!firstOfName.has(plugin.name)) firstOfName.set(plugin.name, plugin)
  }
  for (const folder of folders) {
    // An error in one folder must not hide the others.
    const plugin = await inspect(folder, options, dirs).catch((error: unknown) => notValid(folder, error))
    if (plugin) add(plugin)
  }
  for (const { name, dir } of packages) {
    const plugin = await inspect(dir, { package: name }).catch((error: unknown) => notValid(dir, error))
    // A plugins folder may hold a link to a package, or be node_modules.
    if (plugin && !(await isSameFolder(dir, firstOfName.get(plugin.name)?.dir))) add(plugin)
  }
  const valid = plugins.filter((plugin) => plugin.valid).length
  return { discovered: plugins.length, valid, invalid: plugins.length - valid, plugins }
}

async function isSameFolder(dir: string, other: string | undefined): Promise<boolean> {
  if (other === undefined) return false
  const [one, two] = await Promise.all([dir, other].map((path) => realpath(path).catch(() => path)))
  return one === two
}

/**
 * Inspects one folder, which must lie inside one of `roots` after symlinks are resolved; undefined if it has no manifest.json.
 *
 * @throws PluginError PLUGIN_LOAD_FAILED, `transient`, if it can't be read at the moment.
 */
export async function inspectPlugin(
  dir: string,
  options: InspectOptions = {},
  roots: readonly string[] = [dir],
): Promise<DiscoveredPlugin | undefined> {
  try {
    return await inspect(dir, options, roots)
  } catch (error) {
    // It was removed during the inspection.
    if (isMissing(error)) return undefined
    if (isShortage(error)) throw pluginUnreadable(basename(dir), dir, reasonOf(error))
    return notValid(dir, error)
  }
}

function notValid(dir: string, error: unknown): InvalidPlugin {
  return { name: basename(dir), dir, valid: false, errors: [`folder: ${reasonOf(error)}`], warnings: [] }
}

/** @throws Error of the system. */
async function inspect(
  dir: string,
  options: InspectOptions,
  roots: readonly string[],
): Promise<DiscoveredPlugin | undefined> {
  const found = await readManifest(dir)
  const isPackage = options.package !== undefined
  const own = options.package === undefined ? {} : { package: options.package }
  const folder: InvalidPlugin = { name: basename(dir), dir, valid: false, errors: [], warnings: [], ...own }
  const real = await realpath(dir)
  if (!(await isInsideOne(roots, real))) return { ...folder, errors: [linksOut(real)] }
  if ('error' in found) return { ...folder, errors: [found.error] }
  const check = checkManifest(found.value)
  if (!check.valid) return { ...folder, errors: check.errors, warnings: check.warnings }
  if (isPackage) folder.name = check.manifest.name
  const entry = resolveEntry(dir, check.manifest, options)
  const runtime = 'error' in entry ? check.manifest.runtime : entry.runtime
  const manifest = runtime === undefined ? check.manifest : { ...check.manifest, runtime }
  const warnings = [...check.warnings, ...permissionWarnings(manifest)]
  const errors = [
    ...(isPackage ? [] : misnamed(manifest, basename(dir))),
    ...mismatches(manifest),
    ...(runtime === undefined ? [] : wrongDependencies(manifest, runtime)),
  ]
  if ('error' in entry) return { ...folder, manifest, errors: [...errors, entry.error], warnings }
  if (entry.warning !== undefined) warnings.push(entry.warning)
  const known = { ...folder, manifest, entryFile: entry.file, errors, warnings }
  return errors.length === 0 ? { ...known, valid: true } : known
}

function permissionWarnings({ permissions }: Manifest): string[] {
  return [
    ...unknownPermissions(permissions).map((name) => `permissions: ${name} is unknown, ignored`),
    ...unlimitedPermissions(permissions).map(
      (name) => `permissions: ${name} is allowed or not, it can't be limited to a part`,
    ),
  ]
}

/** Whether a replacement is named by its folder rather than by its name. */
export function isPath(nameOrPath: string): boolean {
  return /[\\/.]/.test(nameOrPath)
}

/**
 * Inspects a folder that must lie inside one of `dirs` after symlinks are resolved.
 *
 * @throws PluginError PLUGIN_NOT_FOUND, MANIFEST_MISSING.
 */
export async function inspectInside(
  dirs: readonly string[],
  path: string,
  options: EntryOptions = {},
): Promise<DiscoveredPlugin> {
  const dir = resolve(path)
  const real = await realpath(dir).catch(() => undefined)
  if (real === undefined || !(await isInsideOne(dirs, real))) throw outsidePlugins(dir, dirs)
  const plugin = await inspectPlugin(dir, options)
  if (plugin) return plugin
  throw manifestMissing(dir)
}

/** Whether a real path lies inside one of `dirs` after symlinks are resolved. */
async function isInsideOne(dirs: readonly string[], real: string): Promise<boolean> {
  const roots = await Promise.all(dirs.map((dir) => realpath(dir).catch(() => resolve(dir))))
  return roots.some((root) => isInside(root, real))
}

/** A symlink is valid if the operator has named both ends as plugins folders. */
function linksOut(real: string): string {
  return `folder: is a symlink to ${real}, outside the plugins folders; add --plugins-dir ${dirname(real)} to run it from there`
}

/** @param isOptional Whether the folder that is looked for by default may be missing. */
async function subfolders(dir: string, isOptional: boolean): Promise<string[]> {
  const root = resolve(dir)
  try {
    const entries = await readdir(root, { withFileTypes: true })
    const folders = entries.filter((entry) => !entry.name.startsWith('.') && entry.name !== 'node_modules')
    return folders.map((entry) => join(root, entry.name)).sort()
  } catch (error) {
    if (isOptional && root === resolve(defaultPluginsDir) && systemCodeOf(error) === 'ENOENT') return []
    throw discoveryFailed(root, reasonOf(error))
  }
}

/** @throws Error of the system. */
async function readManifest(dir: string): Promise<{ value: unknown } | { error: string }> {
  const file = await realpath(join(dir, 'manifest.json'))
  if (!isInside(await realpath(dir), file))
    return { error: 'manifest.json is a symlink out of the plugin’s folder' }
  try {
    return { value: parseJson(await readSmallFile(file, maxManifestBytes)) }
  } catch (error) {
    if (isMissing(error) || isShortage(error)) throw error
    return { error: `manifest.json: ${reasonOf(error)}` }
  }
}

function misnamed({ name }: Manifest, folder: string): string[] {
  const reasons: string[] = []
  if (name !== folder) reasons.push(`name: "${name}" must equal the name of the folder, ${quoted(folder)}`)
  if (!namePattern.test(folder))
    reasons.push(`folder: its name, ${quoted(folder)}, must be lower-case words joined by _ or -`)
  return reasons
}

/** Words of `platforms` beside those of `process.platform`. */
const platformNames: Readonly<Record<string, string>> = { windows: 'win32', macos: 'darwin' }

function mismatches({ runtime, engines = {}, platforms = [] }: Manifest): string[] {
  const reasons: string[] = []
  if (platforms.length > 0 && !platforms.some(isThisPlatform))
    reasons.push(`platforms: ${listed(platforms)}; this is ${process.platform}`)
  if (runtime !== 'python') reasons.push(...outOfRange('node', process.versions.node, engines['node']))
  return [...reasons, ...outOfRange('host', hostVersion, engines['host'])]
}

function isThisPlatform(platform: string): boolean {
  const name = platform.toLowerCase()
  return (
    name === 'all' || (Object.hasOwn(platformNames, name) ? platformNames[name] : name) === process.platform
  )
}

function outOfRange(engine: string, version: string, range: string | undefined): string[] {
  if (range === undefined) return []
  if (semver.validRange(range) === null) return [`engines.${engine}: ${quoted(range)} is not a semver range`]
  return semver.satisfies(version, range, { includePrerelease: true })
    ? []
    : [`engines.${engine}: needs ${shortened(range)}; this is ${version}`]
}

/** Two plugins of one name: the folder that was named first wins. */
function markIfShadowed(plugin: DiscoveredPlugin, twin: DiscoveredPlugin | undefined): DiscoveredPlugin {
  return twin
    ? { ...plugin, valid: false, errors: [...plugin.errors, `name: ${twin.dir} already has this name`] }
    : plugin
}

function isMissing(error: unknown): boolean {
  const code = systemCodeOf(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}
