import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, link, mkdir, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { installFailed, requestCancelled, runsCodeRefused } from '../errors.js'
import { type InstallFailure, runInstallation } from '../plugins/install.js'
import { readSmallFile } from '../small-file.js'
import { timeLeft } from '../waiting.js'
import { markFile, pythonOf } from './interpreter.js'
import { type Requirements, requirementsFile } from './requirements-file.js'

/** What is to be done in a plugin's folder. */
export interface Environment {
  plugin: string
  /** The plugin's folder. */
  dir: string
  /** Of the folder: `.venv`. */
  name: string
  /** The Python that it is made with. */
  python: string
  /** Whether one is there that packages are added to; another one is replaced. */
  isKept: boolean
  requirements: Requirements
}

export interface InstallOptions {
  /** Build packages, which runs their code. */
  allowScripts: boolean
  /** Of all commands together. */
  timeoutMs: number
  signal: AbortSignal
}

type Command = readonly [string, ...string[]]

/** Whether uv can be run. */
export async function hasUv(): Promise<boolean> {
  const options = { timeout: 10_000, windowsHide: true } as const
  return promisify(execFile)('uv', ['--version'], options).then(
    () => true,
    () => false,
  )
}

/** The digest of the requirements that the host has installed; undefined where it has not made the environment. */
export async function installedDigest(environment: string): Promise<string | undefined> {
  const text = await readSmallFile(join(environment, markFile), 1000).catch(() => undefined)
  return text?.trim()
}

/** For people to type in the plugin's folder. */
export function commandLine(environment: Environment, isUv: boolean): string {
  const { name, isKept } = environment
  const python = join(name, process.platform === 'win32' ? 'Scripts\\python' : 'bin/python')
  const make = isUv ? uvVenv(environment) : [environment.python, '-m', 'venv', name]
  const install = isUv ? ['uv', 'pip', 'install', '--python', name] : [python, '-m', 'pip', 'install']
  const commands = [...(isKept ? [] : [make]), [...install, ...packagesOf(environment.requirements)]]
  return commands.map((words) => words.map(quoteForPeople).join(' ')).join(' && ')
}

/**
 * Installs what a plugin needs into its own virtual environment, which is made where there is none: all of it, or the folder stays
 * as it was. `check` tells whether all is there in the end.
 *
 * @throws PluginError DEPENDENCY_MISSING. An abort ends the processes.
 */
export async function installEnvironment(
  environment: Environment,
  options: InstallOptions,
  check: () => Promise<void>,
): Promise<void> {
  const { plugin, requirements } = environment
  const [odd] = requirements.runsCode
  if (!options.allowScripts && odd !== undefined) throw runsCodeRefused(plugin, odd)
  await orRestore(environment, async () => {
    await new Installation(environment, options, await hasUv()).run()
    await check()
  })
}

/** One installation: a few commands, one after another, with one deadline. */
class Installation {
  readonly #environment: Environment
  readonly #options: InstallOptions
  readonly #isUv: boolean
  readonly #begun = performance.now()

  constructor(environment: Environment, options: InstallOptions, isUv: boolean) {
    this.#environment = environment
    this.#options = options
    this.#isUv = isUv
  }

  async run(): Promise<void> {
    const { dir, name, isKept, requirements } = this.#environment
    if (!isKept) await this.#make()
    await (this.#isUv ? this.#installWithUv() : this.#installWithPip())
    const mark = join(dir, name, markFile)
    if (!isKept || existsSync(mark)) await writeFile(mark, requirements.digest)
  }

  async #make(): Promise<void> {
    const { python, name } = this.#environment
    await this.#must(this.#isUv ? uvVenv(this.#environment) : [python, '-I', '-m', 'venv', name])
  }

  async #installWithUv(): Promise<void> {
    const { dir, name, requirements } = this.#environment
    // Settings in the plugin's folder could allow what is not allowed.
    const hasSettings = ['uv.toml', 'pyproject.toml'].some((file) => existsSync(join(dir, file)))
    const { allowScripts } = this.#options
    const flags = allowScripts ? [] : ['--no-build', ...(hasSettings ? ['--no-config'] : [])]
    await this.#must(['uv', 'pip', 'install', '--python', name, ...flags, ...packagesOf(requirements)])
  }

  async #installWithPip(): Promise<void> {
    const { dir, name, requirements } = this.#environment
    const python = pythonOf(join(dir, name)) ?? name
    // Isolated: a file pip.py in the plugin's folder is not pip.
    const pip: Command = [python, '-I', '-m', 'pip']
    const isThere = (await this.#run([python, '-I', '-c', 'import pip'])) === undefined
    if (!isThere) await this.#must([python, '-I', '-m', 'ensurepip', '--default-pip'])
    const flags = this.#options.allowScripts ? [] : ['--only-binary', ':all:']
    const quiet = ['--no-input', '--disable-pip-version-check']
    await this.#must([...pip, ...quiet, 'install', ...flags, ...packagesOf(requirements)])
  }

  async #must(command: Command): Promise<void> {
    const failure = await this.#run(command)
    if (failure === undefined) return
    const line = command.map(quoteForPeople).join(' ')
    throw installFailed(this.#environment.plugin, line, failure.reason + this.#hint(failure))
  }

  #run([command, ...args]: Command): Promise<InstallFailure | undefined> {
    const { plugin, dir } = this.#environment
    const { timeoutMs, signal } = this.#options
    if (signal.aborted) throw requestCancelled(signal)
    return runInstallation({
      ...{ plugin, command, args, cwd: dir, signal },
      env: { UV_COMPILE_BYTECODE: '1', UV_NO_PROGRESS: '1', UV_PYTHON_DOWNLOADS: 'never', PIP_USER: '0' },
      timeoutMs: timeLeft(timeoutMs, this.#begun),
    })
  }

  #hint({ said = '' }: InstallFailure): string {
    // pip then says that there is no such package.
    if (/connection broken|failed to (connect|fetch)|error trying to connect/i.test(said))
      return '. The package index did not answer: check the network and the proxy'
    if (this.#options.allowScripts || !/no matching distribution|no-build|no wheels|source dist/i.test(said))
      return ''
    return '. Only wheels are installed, because building a package runs its code: allowInstallScripts allows that'
  }
}

function uvVenv({ python, name }: Environment): Command {
  return ['uv', 'venv', '--no-project', '--python', python, name]
}

function packagesOf({ hasFile, besides }: Requirements): string[] {
  return [...(hasFile ? ['-r', requirementsFile] : []), ...besides]
}

function quoteForPeople(word: string): string {
  return /[\s<>|&*;!'()[\]]/.test(word) ? `"${word.replaceAll('"', '\\"')}"` : word
}

/** Keeps what is there until the work has succeeded. A virtual environment works in its own place only. */
async function orRestore({ dir, name, isKept }: Environment, work: () => Promise<void>): Promise<void> {
  const path = join(dir, name)
  const before = join(dir, `${name}.before-install`)
  await recover(path, before)
  const was = existsSync(path)
  try {
    if (was && isKept) await linkTree(path, before)
    else if (was) await rename(path, before)
    await work()
  } catch (error) {
    if (was && !existsSync(before)) throw error
    await remove(path)
    if (was) await rename(before, path)
    throw error
  }
  await remove(before)
}

/** A host that was killed in the middle has left what was there before, whole. */
async function recover(path: string, before: string): Promise<void> {
  if (!existsSync(before)) return
  await remove(path)
  await rename(before, path)
}

function remove(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
}

/** A copy of a folder that takes no space: installers replace files, and never write into them. */
async function linkTree(from: string, to: string): Promise<void> {
  const unfinished = `${to}.${process.pid}`
  try {
    await linkInto(from, unfinished)
    await rename(unfinished, to)
  } catch (error) {
    await remove(unfinished)
    throw error
  }
}

async function linkInto(from: string, to: string): Promise<void> {
  await mkdir(to)
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) await linkInto(source, target)
    else if (entry.isSymbolicLink()) await symlink(await readlink(source), target)
    else if (entry.isFile()) await link(source, target).catch(() => copyFile(source, target))
  }
}
