// Imports an entry point in TypeScript in a plugin's process: Node strips the types if it can, and jiti, whose URL the host
// passes, handles the rest.

import { existsSync, readFileSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { describeThrown, systemCodeOf } from '../errors.js'

export interface TypeScriptOptions {
  /** URL of jiti. Without it, syntax that Node can't handle fails. */
  jiti?: string
  /** Whether the plugin's folder has no SDK, so that jiti needs the path of this one. */
  provideSdk: boolean
}

type Exports = Record<string, unknown>

/** The used part of jiti, which is not a dependency of the SDK. */
interface JitiModule {
  createJiti(
    id: string,
    options: { fsCache: boolean; alias: Record<string, string> },
  ): { import(file: string): Promise<Exports> }
}

export async function importTypeScript(file: string, options: TypeScriptOptions): Promise<Exports> {
  if (!stripsTypes()) return importByJiti(file, options)
  registerHooks({ resolve: resolveTypeScript })
  try {
    return await import(pathToFileURL(file).href)
  } catch (error) {
    if (!needsMoreThanStripping(error)) throw error
    return importByJiti(file, options)
  }
}

/** The hook that lets './engine.js' name engine.ts is as new as stripping without a flag. */
function stripsTypes(): boolean {
  return Boolean(Reflect.get(process.features, 'typescript')) && 'registerHooks' in nodeModule
}

/** Calls module.registerHooks(), which Node 20 lacks. Returns whether it exists. */
export function registerHooks(hooks: object): boolean {
  const register: unknown = Reflect.get(nodeModule, 'registerHooks')
  if (typeof register !== 'function') return false
  register(hooks)
  return true
}

/** Enums, parameter properties, types imported as if they were values: found before any of the plugin's code has run. */
function needsMoreThanStripping(error: unknown): boolean {
  const { name, message } = describeThrown(error)
  if (name !== 'SyntaxError') return false
  return (
    systemCodeOf(error) === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX' ||
    /does not provide an export named/.test(message)
  )
}

async function importByJiti(file: string, { jiti, provideSdk }: TypeScriptOptions): Promise<Exports> {
  if (jiti === undefined)
    throw new Error(`this Node (${process.version}) can’t run it; build the plugin first`)
  const { createJiti }: JitiModule = await import(jiti)
  const alias = provideSdk ? sdkFiles() : {}
  return createJiti(pathToFileURL(file).href, { fsCache: false, alias }).import(file)
}

/** The files of this SDK by the specifiers that plugins import. */
function sdkFiles(): Record<string, string> {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const { exports }: { exports: object } = JSON.parse(manifest)
  // Neither data nor Python: jiti never comes to an end with a star.
  const paths = Object.keys(exports).filter((path) => !path.endsWith('.json') && !path.includes('*'))
  const names = paths.map((path) => `@appfactory/sdk${path.slice(1)}`)
  return Object.fromEntries(names.map((name) => [name, fileURLToPath(import.meta.resolve(name))]))
}

interface Context {
  parentURL?: string | undefined
}

/** A resolve hook: './engine.js' finds engine.ts if only that exists, as in TypeScript's compiler. */
export function resolveTypeScript<Result>(
  specifier: string,
  context: Context,
  next: (specifier: string, context: Context) => Result,
): Result {
  try {
    return next(specifier, context)
  } catch (error) {
    const source = sourceOf(specifier, context.parentURL)
    if (source === undefined) throw error
    return next(source, context)
  }
}

function sourceOf(specifier: string, parentUrl: string | undefined): string | undefined {
  if (!/^\.{0,2}\//.test(specifier) || !parentUrl || !/\.[cm]?tsx?$/.test(parentUrl)) return undefined
  const names = [
    specifier.replace(/\.([cm]?)js$/, '.$1ts'),
    ...['.ts', '.mts', '/index.ts'].map((end) => specifier + end),
  ]
  return names.find((name) => name !== specifier && existsSync(new URL(name, parentUrl)))
}
