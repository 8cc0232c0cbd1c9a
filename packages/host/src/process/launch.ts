import { fileURLToPath } from 'node:url'
import type { Manifest } from '@appfactory/sdk'
import type { InstanceLimits } from '../options.js'
import { isTypeScript, resolveJiti, resolveRuntime } from '../plugins/entry.js'
import { permissionFlags } from '../plugins/permissions.js'
import type { Launch } from './child-process.js'

export interface LaunchOptions {
  dir: string
  manifest: Manifest
  entryFile: string
  limits: InstanceLimits
  /** Environment of the process. */
  env: Record<string, string>
}

/** Otherwise another plugin could open this one's debugger with a signal and run code in it. */
const noDebugger = process.allowedNodeEnvironmentFlags.has('--disable-sigusr1') ? ['--disable-sigusr1'] : []

/** The process of a plugin: this Node, the SDK's runtime, the plugin's file. */
export function launchOf({ dir, entryFile, manifest, limits, env }: LaunchOptions): Launch {
  const runtime = resolveRuntime(dir)
  const heap = limits.maxHeapMb === undefined ? [] : [`--max-old-space-size=${limits.maxHeapMb}`]
  const jiti = isTypeScript(entryFile) ? resolveJiti() : undefined
  const code = [runtime.file, ...(jiti === undefined ? [] : [fileURLToPath(jiti)])]
  return {
    file: process.execPath,
    args: [
      ...heap,
      ...noDebugger,
      ...permissionFlags(manifest.permissions, dir, code, runtime.provideSdk),
      // Hides the warning of Node versions in which stripping types is experimental.
      ...(jiti === undefined ? [] : ['--disable-warning=ExperimentalWarning']),
      runtime.file,
      entryFile,
      ...(runtime.provideSdk ? ['--provide-sdk'] : []),
      ...(jiti === undefined ? [] : ['--jiti', jiti]),
    ],
    cwd: dir,
    env,
  }
}
