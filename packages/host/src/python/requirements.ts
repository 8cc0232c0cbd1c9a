import { existsSync, realpathSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Manifest } from '@appfactory/sdk'
import { describeThrown } from '@appfactory/sdk/internal'
import { dependencyMissing, installFailed, startFailed } from '../errors.js'
import { pluginEnvironment } from '../plugins/environment.js'
import { SharedWork } from '../shared-work.js'
import { isShortage } from '../shortage.js'
import { repeatEvery } from '../waiting.js'
import { askPython } from './ask.js'
import { type Missing, missingIn } from './installed.js'
import { markFile, ownEnvironment, type PythonProgram, pythonOf } from './interpreter.js'
import { type Requirements, readRequirements } from './requirements-file.js'
import {
  commandLine,
  type Environment,
  hasUv,
  installEnvironment,
  installedDigest,
} from './virtual-environment.js'

export interface RequirementOptions {
  /** The plugin's folder. */
  dir: string
  manifest: Manifest
  /** What `findPython` has found. */
  python: PythonProgram
  /** Install what is missing, into the plugin's own virtual environment. */
  install: boolean
  /** Build packages in that, which runs their code. */
  allowScripts: boolean
  /** Of one installation. */
  timeoutMs: number
  /** Told that an installation begins, goes on and has ended. */
  progress(message: string): void
  signal: AbortSignal
}

/** How often a long installation is told of, in ms. */
const progressMs = 10_000

/** By the real path of the folder. */
const installations = new SharedWork<PythonProgram>()

/**
 * Makes sure that what a plugin's `requirements.txt` and manifest name is installed. Resolves to the Python that has it: the given
 * one, or that of the plugin's own environment.
 *
 * @throws PluginError DEPENDENCY_MISSING, naming each and the command; with `install`, only if that fails. An abort ends the
 *   installation. PLUGIN_LOAD_FAILED if a file of requirements can't be read, or the system temporarily lacks files or processes.
 */
export async function checkRequirements(options: RequirementOptions): Promise<PythonProgram> {
  const { dir, manifest, signal } = options
  try {
    const requirements = await readRequirements(dir, manifest)
    const state = await lookAt(options, requirements)
    if (state.isComplete) return state.python
    if (options.install)
      return await installations.join(
        realpathSync(dir),
        (abandoned) => installOnce({ ...options, signal: abandoned }, requirements),
        signal,
      )
    const command = commandLine(environmentOf(options, requirements, state), await hasUv())
    throw dependencyMissing(manifest.name, state.missing.map(explain), command, dir)
  } catch (error) {
    if (!isShortage(error)) throw error
    throw startFailed(manifest.name, `could not be started (${describeThrown(error).message})`, '', true)
  }
}

interface State {
  python: PythonProgram
  missing: readonly Missing[]
  /** Whether nothing is to be done. */
  isComplete: boolean
  /** Whether the plugin's own environment can be added to. */
  isOwnUsable: boolean
}

/** Looks into the given Python, then into the plugin's own environment, if that is another of the same version. */
async function lookAt(options: RequirementOptions, requirements: Requirements): Promise<State> {
  const { dir, python, manifest, signal } = options
  const environment = ownEnvironment(dir)
  const own = environment === undefined ? undefined : await ownPython(environment, options)
  const isBehind = options.install && (await lacksUnnamed(environment, requirements))
  const missing = await missingIn(python, requirements.named, manifest.name, signal)
  const state = {
    python,
    missing,
    isComplete: missing.length === 0 && !isBehind,
    isOwnUsable: own !== undefined,
  }
  if (state.isComplete || own === undefined || own.file === python.file) return state
  const missingInOwn = await missingIn(own, requirements.named, manifest.name, signal)
  return { ...state, python: own, missing: missingInOwn, isComplete: missingInOwn.length === 0 && !isBehind }
}

/** The Python of the plugin's own environment, where it works and is of the version that is to be used. */
async function ownPython(
  environment: string,
  { python, signal }: RequirementOptions,
): Promise<PythonProgram | undefined> {
  const command = pythonOf(environment)
  if (command === undefined || !existsSync(command)) return undefined
  const env = pluginEnvironment('', {})
  const answer = await askPython({ command, env }, signal).catch(() => undefined)
  signal.throwIfAborted()
  if (answer === undefined || minorOf(answer.version) !== minorOf(python.version)) return undefined
  return { ...answer, source: `the plugin’s ${basename(environment)}` }
}

function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.')
}

/** Packages without names can't be looked up. What the author has installed is believed to have them. */
async function lacksUnnamed(environment: string | undefined, requirements: Requirements): Promise<boolean> {
  if (requirements.unnamed.length === 0) return false
  if (environment === undefined) return true
  const digest = await installedDigest(environment)
  return digest !== undefined && digest !== requirements.digest
}

/** Where things are to be installed. An environment that the author has made, and that can't be used, stays as it is. */
function environmentOf(
  { dir, python, manifest }: RequirementOptions,
  requirements: Requirements,
  { isOwnUsable }: State,
): Environment {
  const own = ownEnvironment(dir)
  return {
    plugin: manifest.name,
    dir,
    name: own === undefined ? '.venv' : basename(own),
    python: python.file,
    isKept: isOwnUsable,
    requirements,
  }
}

async function installOnce(options: RequirementOptions, requirements: Requirements): Promise<PythonProgram> {
  const { dir, manifest, progress } = options
  // Another installation may have ended since.
  const state = await lookAt(options, requirements)
  if (state.isComplete) return state.python
  const environment = environmentOf(options, requirements, state)
  const path = join(dir, environment.name)
  if (!environment.isKept && existsSync(path) && !existsSync(join(path, markFile)))
    throw installFailed(
      manifest.name,
      'Installing',
      `was not begun: ${path} is not for Python ${options.python.version}, and the host has not made it. Delete it, or make it anew`,
    )
  const begun = performance.now()
  progress(`installing requirements into ${path}: ${state.missing.map(explain).join(', ')}`)
  const timer = repeatEvery(progressMs, () => progress(`still installing requirements (${seconds(begun)} s)`))
  try {
    return await installAndCheck(options, environment)
  } finally {
    clearInterval(timer)
    progress(`the installation has ended after ${seconds(begun)} s`)
  }
}

async function installAndCheck(
  options: RequirementOptions,
  environment: Environment,
): Promise<PythonProgram> {
  const { dir, manifest, signal } = options
  let python = options.python
  await installEnvironment(environment, options, async () => {
    const own = await ownPython(join(dir, environment.name), options)
    const missing = own && (await missingIn(own, environment.requirements.named, manifest.name, signal))
    if (own !== undefined && missing?.length === 0) {
      python = own
      return
    }
    const reason = missing === undefined ? 'has no Python' : `lacks ${missing.map(explain).join(', ')}`
    throw installFailed(manifest.name, `The new ${environment.name}`, reason)
  })
  return python
}

function seconds(begun: number): number {
  return Math.round((performance.now() - begun) / 1000)
}

function explain({ text, found }: Missing): string {
  return found ? `${text} (version ${found} is installed)` : text
}
