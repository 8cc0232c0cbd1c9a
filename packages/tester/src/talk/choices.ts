import { computed, effect, signal } from '@preact/signals'
import { call } from '../api/rpc.js'
import type { Plugin } from '../api/types.js'
import { configDefaults } from '../form/schema.js'
import { manifestOf, plugins, refreshPlugins } from '../state/plugins.js'
import {
  type Choice,
  candidatesFor,
  needsConfig,
  pluginFor,
  type Role,
  readChoices,
  roles,
} from './candidates.js'
import type { Engine } from './engines.js'
import type { Trouble } from './turn.js'

const storageKey = 'talk'
const kept = readKept()

export const choices = signal<Partial<Record<Role, Choice>>>(readChoices(kept))
/** What the model is told before the conversation. */
export const instructions = signal(textOf(kept))

effect(() => {
  const value = JSON.stringify({ ...choices.value, instructions: instructions.value })
  try {
    localStorage.setItem(storageKey, value)
  } catch {}
})

function readKept(): unknown {
  try {
    return JSON.parse(localStorage.getItem(storageKey) ?? 'null')
  } catch {
    return undefined
  }
}

function textOf(value: unknown): string {
  const text: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'instructions') : ''
  return typeof text === 'string' ? text : ''
}

/** The plugins that each role may have, and the one that it has. */
export const cast = computed(() => {
  const of = (role: Role): { candidates: Plugin[]; plugin: Plugin | undefined; option: string } => {
    const candidates = candidatesFor(role, plugins.value ?? [], manifestOf)
    const choice = choices.value[role]
    const plugin = pluginFor(choice, candidates)
    return { candidates, plugin, option: plugin?.name === choice?.plugin ? (choice?.option ?? '') : '' }
  }
  return { voice: of('voice'), ears: of('ears'), model: of('model') }
})

export function choose(role: Role, choice: Choice): void {
  choices.value = { ...choices.value, [role]: choice }
}

/** Who has a role now; undefined: none. */
export function engineOf(role: Role): Engine | undefined {
  const { plugin, option } = cast.value[role]
  return plugin && { plugin, option }
}

/** Plugins that were chosen, and must be loaded before anybody can talk. */
export const unloaded = computed(() =>
  roles.flatMap((role) => {
    const { plugin } = cast.value[role]
    return plugin && !plugin.loaded ? [{ role, plugin, isBlocked: needsConfig(manifestOf(plugin)) }] : []
  }),
)

export const isLoading = signal(false)
export const loadTroubles = signal<readonly Trouble[]>([])

/** Loads the chosen plugins with their defaults. Returns whether all of them run. */
export async function loadChosen(): Promise<boolean> {
  if (isLoading.value) return false
  keepCast()
  const wanted = unloaded.value.filter(({ isBlocked }) => !isBlocked)
  if (wanted.length < unloaded.value.length) return false
  if (wanted.length === 0) return true
  isLoading.value = true
  const results = await Promise.all(wanted.map(({ role, plugin }) => load(role, plugin)))
  await refreshPlugins()
  loadTroubles.value = results.flatMap((trouble) => trouble ?? [])
  isLoading.value = false
  return loadTroubles.value.length === 0
}

/** What was chosen by default stays chosen: another plugin that is loaded later would take its place. */
function keepCast(): void {
  for (const role of roles) {
    const { plugin, option } = cast.value[role]
    if (plugin) choose(role, { plugin: plugin.name, option })
  }
}

async function load(role: Role, plugin: Plugin): Promise<Trouble | undefined> {
  const { config_schema: schema = {}, default_config: defaults } = manifestOf(plugin) ?? {}
  try {
    await call('plugin/load', { name: plugin.name, config: configDefaults(schema, defaults) })
    return undefined
  } catch (error) {
    return { role, plugin: plugin.name, error }
  }
}
