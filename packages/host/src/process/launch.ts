import { fileURLToPath } from 'node:url'
import type { Manifest } from '@appfactory/sdk'
import type { InstanceLimits } from '../options.js'
import { isTypeScript, resolveJiti, resolveRuntime } from '../plugins/entry.js'
import { permissionFlags } from '../plugins/permissions.js'
import type { PythonProgram } from '../python/interpreter.js'
import type { Launch } from './child-process.js'
import { type NodeProgram, ownNode } from './node.js'
import { pythonLaunch } from './python.js'

/**
 * Whether a debugger is opened, on a free port of 127.0.0.1: Node's, or debugpy for a plugin in Python; `break`: and waited for before
 * any code runs; `python`: only for a plugin in Python.
 */
export type Inspection = boolean | 'break' | 'python'

export interface LaunchOptions {
  dir: string
  manifest: Manifest
  entryFile: string
  limits: InstanceLimits
  /** Environment of the process. */
  env: Record<string, string>
  /** Default: the Node of this process. */
  node?: NodeProgram
  /** The Python that runs the plugin. Default: Node runs it. */
  python?: PythonProgram
  /** Whether files are saved while it runs. Default: false. */
  isDevelopment?: boolean
  /** Default: false. */
  inspect?: Inspection
}

/** Otherwise another plugin could open this one's debugger with a signal and run code in it. */
const noDebugger = '--disable-sigusr1'

/** The process of a plugin: what runs it, the SDK's runtime, the plugin's file. */
export function launchOf(options: LaunchOptions): Launch {
  return options.python ? pythonLaunch(options, options.python) : nodeLaunch(options)
}

function nodeLaunch(options: LaunchOptions): Launch {
  const { dir, entryFile, manifest, limits, env, node = ownNode, inspect } = options
  const runtime = resolveRuntime(dir)
  const heap = limits.maxHeapMb === undefined ? [] : [`--max-old-space-size=${limits.maxHeapMb}`]
  const jiti = isTypeScript(entryFile) ? resolveJiti() : undefined
  const code = [runtime.file, ...(jiti === undefined ? [] : [fileURLToPath(jiti)])]
  return {
    file: node.file,
    args: [
      ...heap,
      ...(node.flags.has(noDebugger) ? [noDebugger] : []),
      ...inspectFlags(inspect),
      ...permissionFlags(manifest.permissions, dir, code, runtime.provideSdk, node),
      // Hides the warning of Node versions in which stripping types is experimental.
      ...(jiti === undefined ? [] : ['--disable-warning=ExperimentalWarning']),
      runtime.file,
      entryFile,
      ...(runtime.provideSdk ? ['--provide-sdk'] : []),
      ...(jiti === undefined ? [] : ['--jiti', jiti]),
    ],
    cwd: dir,
    // A debugger shows the lines of the source.
    env: { ...env, ...node.env, ...(inspect ? { JITI_SOURCE_MAPS: 'true' } : {}) },
  }
}

function inspectFlags(inspect: LaunchOptions['inspect']): string[] {
  if (!inspect) return []
  return [inspect === 'break' ? '--inspect-brk=127.0.0.1:0' : '--inspect=127.0.0.1:0']
}
