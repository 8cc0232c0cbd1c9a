import { PluginStatus } from '@appfactory/sdk'
import type { DiscoveredPlugin } from './plugins/discovery.js'
import type { Slot } from './slot/slot.js'

/** One plugin, as a list shows it. */
export interface PluginSummary {
  /** The manifest's name; the folder's where the manifest is not valid. */
  name: string
  /** Of the instance that runs, or as the manifest says. null: unknown. */
  version: string | null
  /** Such as tts. null: unknown. */
  contract: string | null
  /** For people, as the manifest says. null: none. */
  displayName: string | null
  /** In a sentence, as the manifest says. null: none. */
  description: string | null
  /** As the manifest says. null: none. */
  author: string | null
  /** Absolute path of the folder. */
  path: string
  /** Whether it can be loaded. */
  valid: boolean
  /** Why it is not valid, or why its last load failed: its status is ERROR then. */
  errors: string[]
  /** Whether an instance serves. */
  loaded: boolean
  /** How many processes it is to have. Absent: one, or it is not loaded. */
  replicas?: number
  /** Of a fallback: the plugins that it stands for, in order. Absent: it is a plugin. */
  fallback?: string[]
  /** Where it is in its life. */
  status: PluginStatus
  /** Once loaded, the wire names of the methods it implements itself, and `state`; before that, what its manifest says. */
  capabilities: string[]
}

/** What is known of a plugin: from its files and, where it is loaded, from its slot. */
export function summarise(
  { name, dir, manifest, valid, errors }: DiscoveredPlugin,
  slot: Slot | undefined,
  loadFailure: string | undefined,
): PluginSummary {
  const failure = slot ? undefined : loadFailure
  return {
    name,
    version: (slot?.instance?.manifest ?? manifest)?.version ?? null,
    contract: manifest?.contract ?? null,
    displayName: manifest?.display_name ?? null,
    description: manifest?.description ?? null,
    author: manifest?.author ?? null,
    path: dir,
    valid,
    errors: failure === undefined ? errors : [...errors, failure],
    loaded: slot?.instance !== undefined,
    ...(slot && slot.places.count > 1 ? { replicas: slot.places.count } : {}),
    status: slot?.status ?? (failure === undefined ? PluginStatus.UNLOADED : PluginStatus.ERROR),
    capabilities: [
      ...new Set([...(slot?.instance?.capabilities ?? []), ...declaredCapabilities(manifest?.capabilities)]),
    ],
  }
}

function declaredCapabilities(declared: readonly string[] | Record<string, unknown> | undefined): string[] {
  if (Array.isArray(declared)) return declared
  return Object.entries(declared ?? {}).flatMap(([name, value]) => (value ? [name] : []))
}
