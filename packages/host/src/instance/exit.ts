import type { PluginError } from '@appfactory/sdk'
import { initializeCrashed, pluginCrashed, startFailed } from '../errors.js'
import type { Exit } from '../process/child-process.js'

/** How far a plugin's process has come. */
export type Phase = 'handshake' | 'initialize' | 'serving' | 'stopping'

/** What is known of a process that has ended. */
export interface EndedProcess {
  plugin: string
  exit: Exit
  phase: Phase
  /** Why the host has killed it. Undefined: it has not. */
  killReason: string | undefined
  /** The end of what it wrote to stderr. */
  stderr: string
  /** Which of several places it had, from 1. */
  place?: number | undefined
}

/** What the requests of a process fail with that has ended. Undefined: it was asked to end. */
export function exitError(ended: EndedProcess): PluginError | undefined {
  const { plugin, exit, phase, killReason, stderr, place } = ended
  const how = howEnded(ended)
  switch (phase) {
    case 'handshake': {
      // By a signal, or for want of a process: from outside, unless the host has killed it for what it did.
      const isTransient = exit.code === undefined && killReason === undefined
      return startFailed(plugin, how, stderr, isTransient)
    }
    case 'initialize':
      return initializeCrashed(plugin, how, stderr)
    case 'serving':
      return pluginCrashed(plugin, how, stderr, place)
    case 'stopping':
      return undefined
  }
}

/** In words that follow the name of the process. */
export function howEnded({ exit, killReason }: EndedProcess): string {
  return killReason ?? describeExit(exit)
}

function describeExit({ code, signal, reason }: Exit): string {
  if (signal !== undefined) return `was ended by ${signal}`
  if (reason !== undefined) return `could not be started: ${reason}`
  return code === undefined ? 'could not be started' : `exited with code ${code}`
}
