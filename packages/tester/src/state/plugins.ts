import { computed, signal } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'
import { type CallError, call } from '../api/rpc.js'
import type { Description, ErrorRow, Found, Manifest, Plugin, Sample, TimelineEvent } from '../api/types.js'
import { route } from './route.js'

export const plugins = signal<readonly Plugin[] | undefined>(undefined)
export const discoveryError = signal<CallError | undefined>(undefined)
const found = signal<ReadonlyMap<string, Found>>(new Map())
const errorRows = signal<ReadonlyMap<number, ErrorRow>>(new Map())

/** The plugin that all sections are about: the one of the address, or the first where the address has none. */
export const selected = computed<Plugin | undefined>(() => {
  const all = plugins.value ?? []
  const { plugin: wanted } = route.value
  if (wanted === undefined) return all[0]
  return all.find(({ name }) => name === wanted) ?? all.find(({ path }) => path === wanted)
})

/** What stands for a plugin in the address: its name, or its folder where another one has that name already. */
export function keyOf({ name, path }: Plugin): string {
  const first = plugins.value?.find((plugin) => plugin.name === name)
  return first === undefined || first.path === path ? name : path
}

export function manifestOf(plugin: Plugin): Manifest | undefined {
  return found.value.get(placeOf(plugin))?.manifest ?? undefined
}

export function warningsOf(plugin: Plugin): readonly string[] {
  return found.value.get(placeOf(plugin))?.warnings ?? []
}

/** Plugins on the nodes of a cluster have no folder here, and names of their own. */
function placeOf({ name, path }: { name: string; path: string }): string {
  return path === '' ? name : path
}

/** Whether the host holds it, also while it is restarted. One whose load has failed is in ERROR too, with the reason. */
export function isRunning({ status, valid, errors }: Plugin): boolean {
  const isLoadFailed = status === 'ERROR' && valid && errors.length > 0
  return status !== 'UNLOADED' && status !== 'STOPPED' && !isLoadFailed
}

let refreshing: Promise<void> | undefined
let again = false

/** Asks what plugins there are. Questions that come meanwhile are answered by one more. */
export function refreshPlugins(): Promise<void> {
  if (refreshing) {
    again = true
    return refreshing
  }
  refreshing = refresh().finally(() => {
    refreshing = undefined
    if (!again) return
    again = false
    void refreshPlugins()
  })
  return refreshing
}

async function refresh(): Promise<void> {
  try {
    const [list, discovery] = await Promise.all([
      call<Plugin[]>('plugin/list', { include_invalid: true }),
      call<{ plugins: Found[] }>('system/discover'),
    ])
    plugins.value = list.map(asShown)
    found.value = new Map(discovery.plugins.map((plugin) => [placeOf(plugin), plugin]))
    discoveryError.value = undefined
  } catch (error) {
    discoveryError.value = error as CallError
  }
}

/** How long a crash is shown at least, in ms: a plugin may be back sooner than a person can see. */
const crashShownMs = 800
/** Plugins that have just crashed, and until when that is shown. */
const crashed = new Map<string, number>()

function asShown(plugin: Plugin): Plugin {
  const until = crashed.get(plugin.name) ?? 0
  return Date.now() < until ? { ...plugin, status: 'ERROR' } : plugin
}

/** What an event tells is shown at once; the list follows. */
export function applyStatus({ type, plugin, status, place }: TimelineEvent): void {
  // What one of several processes does is not what the plugin does.
  if (place !== undefined) return
  if (type === 'crash') {
    crashed.set(plugin, Date.now() + crashShownMs)
    setTimeout(() => void refreshPlugins(), crashShownMs)
  }
  const isCrash = Date.now() < (crashed.get(plugin) ?? 0)
  const shown = isCrash ? 'ERROR' : type === 'status' ? status : undefined
  if (shown === undefined || !plugins.value) return
  plugins.value = plugins.value.map((each) =>
    each.name === plugin && each.valid ? { ...each, status: shown } : each,
  )
}

/** Of READY and BUSY no event tells. A sample is a second old: it must not undo what an event has told since. */
export function applySample({ plugins: healths }: Sample): void {
  const calm = new Set(['READY', 'BUSY'])
  const next = (plugins.value ?? []).map((plugin) => {
    const status = healths[plugin.name]?.status ?? ''
    return calm.has(plugin.status) && calm.has(status) && status !== plugin.status
      ? { ...plugin, status }
      : plugin
  })
  if (next.some((plugin, index) => plugin !== plugins.value?.[index])) plugins.value = next
}

const descriptions = new Map<string, { name: string; asked: Promise<Description> }>()
/** Counts the starts of plugins: a plugin may have other methods, and another configuration, after one. */
export const starts = signal(0)

/** The methods of a plugin. It is asked again once it was started anew: a new build may have other ones. */
function describe({ name, version, path }: Plugin): Promise<Description> {
  // A fallback lies nowhere.
  const key = `${path || name} ${version}`
  const known = descriptions.get(key)
  if (known) return known.asked
  const asked = call<Description>('plugin/describe', { name })
  descriptions.set(key, { name, asked })
  asked.catch(() => descriptions.delete(key))
  return asked
}

/** Forgets the methods of what has been started. */
export function applyStart({ type, plugin, status, replacement, step }: TimelineEvent): void {
  const isStart = (type === 'status' && status === 'READY') || (type === 'swap' && step === 'confirm')
  if (!isStart) return
  for (const [key, { name }] of descriptions)
    if (name === plugin || name === replacement) descriptions.delete(key)
  starts.value += 1
}

/** What a loaded plugin says of its methods. The last answer stands until there is a new one. */
export function useDescription(plugin: Plugin): { description?: Description | undefined; error?: unknown } {
  const [answer, setAnswer] = useState<{ description?: Description; error?: unknown }>({})
  const running = isRunning(plugin)
  const { name, version, path } = plugin
  const start = starts.value
  useEffect(() => {
    // A plugin that is not loaded would be started for it.
    if (!running) return
    let isOld = false
    describe({ ...plugin, name, version, path }).then(
      (description) => isOld || setAnswer({ description }),
      (error: unknown) => isOld || setAnswer({ error }),
    )
    return () => {
      isOld = true
    }
  }, [running, name, version, path, start])
  return answer
}

/** What the error table says of a code. */
export function errorRow(code: number | undefined): ErrorRow | undefined {
  return code === undefined ? undefined : errorRows.value.get(code)
}

export async function loadErrorTable(): Promise<void> {
  const rows = await call<ErrorRow[]>('errors/list').catch(() => [])
  errorRows.value = new Map(rows.map((row) => [row.code, row]))
}
