import { fileURLToPath } from 'node:url'
import type { Manifest } from '@appfactory/sdk'
import type { InstanceLimits } from '../options.js'
import { isTypeScript, resolveJiti, resolveRuntime } from '../plugins/entry.js'
import { permissionFlags } from '../plugins/permissions.js'
import type { Launch } from './child-process.js'
import { type NodeProgram, ownNode } from './node.js'

export interface LaunchOptions {
  dir: string
  manifest: Manifest
  entryFile: string
  limits: InstanceLimits
  /** Environment of the process. */
  env: Record<string, string>
  /** Default: the Node of this process. */
  node?: NodeProgram
}

/** Otherwise another plugin could open this one's debugger with a signal and run code in it. */
const noDebugger = '--disable-sigusr1'

/** The process of a plugin: Node, the SDK's runtime, the plugin's file. */
export function launchOf({ dir, entryFile, manifest, limits, env, node = ownNode }: LaunchOptions): Launch {
  const runtime = resolveRuntime(dir)
  const heap = limits.maxHeapMb === undefined ? [] : [`--max-old-space-size=${limits.maxHeapMb}`]
  const jiti = isTypeScript(entryFile) ? resolveJiti() : undefined
  const code = [runtime.file, ...(jiti === undefined ? [] : [fileURLToPath(jiti)])]
  return {
    file: node.file,
    args: [
      ...heap,
      ...(node.flags.has(noDebugger) ? [noDebugger] : []),
      ...permissionFlags(manifest.permissions, dir, code, runtime.provideSdk, node),
      // Hides the warning of Node versions in which stripping types is experimental.
      ...(jiti === undefined ? [] : ['--disable-warning=ExperimentalWarning']),
      runtime.file,
      entryFile,
      ...(runtime.provideSdk ? ['--provide-sdk'] : []),
      ...(jiti === undefined ? [] : ['--jiti', jiti]),
    ],
    cwd: dir,
    env: { ...env, ...node.env },
  }
}
