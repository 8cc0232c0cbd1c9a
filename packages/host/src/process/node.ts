import { execFile } from 'node:child_process'
import * as nodeModule from 'node:module'
import { isAbsolute, resolve } from 'node:path'
import { promisify } from 'node:util'
import { systemCodeOf } from '@appfactory/sdk/internal'
import semver from 'semver'
import { nodeUnusable, reasonOf } from '../errors.js'

/** A Node that can run plugins. */
export interface NodeProgram {
  readonly file: string
  /** Variables without which the file is no Node. */
  readonly env: Readonly<Record<string, string>>
  /** The flags that it knows. */
  readonly flags: ReadonlySet<string>
  /** Whether it resolves modules for others without a worker. */
  readonly registersHooks: boolean
}

/** Electron's executable is the application, and Node only where this is set. */
const asNode = { ELECTRON_RUN_AS_NODE: '1' }

/** The Node that this process is. */
export const ownNode: NodeProgram = {
  file: process.execPath,
  env: process.versions['electron'] === undefined ? {} : asNode,
  flags: process.allowedNodeEnvironmentFlags,
  registersHooks: 'registerHooks' in nodeModule,
}

const supported = '^20.19.0 || ^22.12.0 || >=24.0.0'

/** How long another Node may take to say what it is, in ms. */
const askTimeoutMs = 10_000

/** What another Node is asked. */
const question = `process.stdout.write(JSON.stringify({
  version: process.versions.node,
  isElectron: process.versions.electron !== undefined,
  flags: [...process.allowedNodeEnvironmentFlags],
  registersHooks: 'registerHooks' in require('node:module'),
}))`

interface Answer {
  version: string
  isElectron: boolean
  flags: string[]
  registersHooks: boolean
}

/**
 * Asks another Node what it is.
 *
 * @param path A file, or a name to be looked for in PATH.
 * @throws PluginError PLUGIN_LOAD_FAILED where it can't be run, or is no supported Node.
 */
export async function readNode(path: string): Promise<NodeProgram> {
  // A plugin runs in a folder of its own.
  const file = /[\\/]/.test(path) && !isAbsolute(path) ? resolve(path) : path
  const { version, isElectron, flags, registersHooks } = await ask(file)
  if (!semver.satisfies(version, supported))
    throw nodeUnusable(file, `is Node ${version}; plugins need ${supported}`)
  return { file, env: isElectron ? asNode : {}, flags: new Set(flags), registersHooks }
}

async function ask(file: string): Promise<Answer> {
  const options = {
    env: { ...process.env, ...asNode },
    timeout: askTimeoutMs,
    killSignal: 'SIGKILL',
    windowsHide: true,
  } as const
  const { stdout } = await promisify(execFile)(file, ['-e', question], options).catch((error: unknown) => {
    const reason = systemCodeOf(error) === 'ENOENT' ? 'does not exist' : `can’t be run: ${reasonOf(error)}`
    throw nodeUnusable(file, reason)
  })
  try {
    const answer: unknown = JSON.parse(stdout)
    if (isAnswer(answer)) return answer
  } catch {
    // What is no JSON is no answer either.
  }
  throw nodeUnusable(file, 'is no Node: it does not answer as one')
}

function isAnswer(value: unknown): value is Answer {
  return (
    typeof value === 'object' &&
    value !== null &&
    'version' in value &&
    'flags' in value &&
    Array.isArray(value.flags)
  )
}
