import type { Manifest, Plugin } from '../api/types.js'
import { configDefaults, resolve } from '../form/schema.js'

/** What a conversation is made of. */
export const roles = ['voice', 'ears', 'model'] as const

export type Role = (typeof roles)[number]

const contractOf: Record<Role, string> = { voice: 'tts', ears: 'stt', model: 'llm' }

/** What somebody has chosen for a role. */
export interface Choice {
  /** Its name; null: none. */
  plugin: string | null
  /** The id of a voice, a language or a model; '': the plugin's own. */
  option: string
}

export type ManifestOf = (plugin: Plugin) => Manifest | undefined

/** The plugins for a role: loaded ones first, and last those that can't be loaded without a configuration. */
export function candidatesFor(role: Role, plugins: readonly Plugin[], manifestOf: ManifestOf): Plugin[] {
  const rank = (plugin: Plugin): number => {
    if (plugin.loaded) return 0
    return needsConfig(manifestOf(plugin)) ? 2 : 1
  }
  return plugins
    .filter(({ valid, contract }) => valid && contract === contractOf[role])
    .sort((one, other) => rank(one) - rank(other) || (one.name < other.name ? -1 : 1))
}

/** Whether a plugin has an option that somebody must fill in before it can be loaded. */
export function needsConfig({ config_schema: schema = {}, default_config }: Partial<Manifest> = {}): boolean {
  const given = configDefaults(schema, default_config)
  return (resolve(schema, schema).required ?? []).some((name) => !Object.hasOwn(given, name))
}

/** The chosen plugin; the first one where none was chosen, or the chosen one is gone; undefined: none. */
export function pluginFor(choice: Choice | undefined, candidates: readonly Plugin[]): Plugin | undefined {
  if (choice?.plugin === null) return undefined
  return candidates.find(({ name }) => name === choice?.plugin) ?? candidates[0]
}

/** Reads choices that were kept; what is not one is left out. */
export function readChoices(kept: unknown): Partial<Record<Role, Choice>> {
  if (typeof kept !== 'object' || kept === null) return {}
  const entries = roles.flatMap((role) => {
    const choice: unknown = Reflect.get(kept, role)
    return isChoice(choice) ? [[role, choice] as const] : []
  })
  return Object.fromEntries(entries)
}

function isChoice(value: unknown): value is Choice {
  if (typeof value !== 'object' || value === null) return false
  const { plugin, option } = value as Partial<Choice>
  return (typeof plugin === 'string' || plugin === null) && typeof option === 'string'
}
