import type { ComponentType } from 'preact'
import { useEffect } from 'preact/hooks'
import type { Plugin } from '../api/types.js'
import { Invoker } from '../invoke/invoker.js'
import { StatusDot } from '../parts/status.js'
import { connected } from '../state/events.js'
import { discoveryError, keyOf, plugins, refreshPlugins, selected } from '../state/plugins.js'
import { addressOf, go, route, type Section, sections } from '../state/route.js'
import { nextTheme, theme } from '../state/theme.js'
import { ChecksView } from './checks.js'
import { HealthView } from './health.js'
import { Help } from './help.js'
import { LoadView } from './load.js'
import { LogView } from './logs.js'
import { Nothing } from './nothing.js'
import { PluginView } from './plugin.js'
import { TalkView } from './talk.js'
import { Unknown } from './unknown.js'
import { WireView } from './wire.js'

const names: Record<Section, string> = {
  plugin: 'Plugin',
  invoke: 'Invoke',
  health: 'Health',
  load: 'Load test',
  checks: 'Checks',
  logs: 'Logs',
  wire: 'Wire',
  talk: 'Talk',
}

export function Shell() {
  useEffect(() => {
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [])
  const { section } = route.value
  return (
    <>
      {/* biome-ignore lint/a11y/useValidAnchor: a link that skips goes to a place of this page, as people expect */}
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          // The address says which section is shown; #main is none.
          event.preventDefault()
          focusMain()
        }}
      >
        Skip to the content
      </a>
      <header class="rail">
        <h1 class="brand">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="8" />
            <path d="M8 13v6M12 9v14M16 12v8M20 7v18M24 13v6" />
          </svg>
          Plugin Tester
        </h1>
        <nav aria-label="Sections">
          {sections.map((each, index) => (
            <a
              href={addressOf({ section: each })}
              aria-current={each === section ? 'page' : undefined}
              data-key={index + 1}
              title={`Key ${index + 1}`}
              key={each}
            >
              {names[each]}
            </a>
          ))}
        </nav>
        <PluginList />
        <div class="rail-foot">
          <Connection />
          <button type="button" class="small" onClick={nextTheme} title="Light, dark, or as the system says">
            Theme: {theme.value}
          </button>
          <Help />
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {connected.value === false && <Gone />}
        <Content section={section} />
      </main>
    </>
  )
}

/** Nothing on the page is true any more, and nothing can be asked for. */
function Gone() {
  return (
    <p class="gone" role="alert">
      <b>The tester is gone.</b> What is shown is what was. Start <code>appfactory-host tester</code> again
      and open the URL that it prints; where it only was out of reach, the page goes on by itself.
    </p>
  )
}

function focusMain(): void {
  document.getElementById('main')?.focus()
}

const pluginViews: Record<Exclude<Section, 'health' | 'logs' | 'talk'>, ComponentType<{ plugin: Plugin }>> = {
  plugin: PluginView,
  invoke: Invoker,
  load: LoadView,
  checks: ChecksView,
  wire: WireView,
}

function Content({ section }: { section: Section }) {
  const plugin = selected.value
  if (section === 'health') return <HealthView />
  if (section === 'logs') return <LogView heading={<h2>Logs</h2>} label="Logs" />
  if (section === 'talk') return <TalkView />
  if (!plugin)
    return plugins.value && route.value.plugin !== undefined ? (
      <Unknown plugin={route.value.plugin} />
    ) : (
      <Nothing />
    )
  const View = pluginViews[section]
  // Another plugin is another form.
  return <View plugin={plugin} key={plugin.path} />
}

const aboutAll: ReadonlySet<Section> = new Set(['health', 'logs', 'talk'])

function PluginList() {
  const all = plugins.value ?? []
  const current = selected.value
  // Health and logs are about all of them.
  const isAboutOne = !aboutAll.has(route.value.section)
  return (
    <div class="plugins">
      <div class="plugins-head">
        <h2>Plugins</h2>
        <button type="button" class="small" onClick={() => void refreshPlugins()}>
          Refresh
        </button>
      </div>
      <label class="plugin-choice">
        <span class="hidden">Plugin</span>
        <select
          value={current && keyOf(current)}
          onChange={({ currentTarget }) => go({ plugin: currentTarget.value })}
        >
          {all.map((plugin) => (
            <option value={keyOf(plugin)} key={plugin.path}>
              {plugin.name} · {plugin.valid ? plugin.status.toLowerCase() : 'not valid'}
            </option>
          ))}
        </select>
      </label>
      <ul class="plugin-list">
        {all.map((plugin) => (
          <li key={plugin.path}>
            <a
              href={addressOf({ plugin: keyOf(plugin) })}
              aria-current={isAboutOne && plugin.path === current?.path ? 'true' : undefined}
            >
              {plugin.valid ? (
                <StatusDot status={plugin.status} />
              ) : (
                <span class="cross" role="img" aria-label="not valid" />
              )}
              <span class="plugin-name">{plugin.name}</span>
              <span class="tag">{plugin.contract ?? '?'}</span>
            </a>
          </li>
        ))}
      </ul>
      {discoveryError.value && <p class="problem">{discoveryError.value.message}</p>}
    </div>
  )
}

function Connection() {
  const state = connected.value
  if (state === undefined) return <span class="quiet">Connecting…</span>
  return state ? (
    <span class="status good">
      <span class="dot" aria-hidden="true" />
      live
    </span>
  ) : (
    <span class="status bad">
      <span class="dot" aria-hidden="true" />
      gone
    </span>
  )
}

/** Digits: sections. /: the first search field. ?: the keys. Escape and Ctrl+Enter belong to the sections. */
function onKey(event: KeyboardEvent): void {
  const { target } = event
  const isTyping = target instanceof HTMLElement && target.matches('input, textarea, select')
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return
  const section = sections[Number(event.key) - 1]
  if (section) {
    go({ section })
    focusMain()
  } else if (event.key === '/') {
    event.preventDefault()
    document.querySelector<HTMLInputElement>('input[type=search]')?.focus()
  } else if (event.key === '?') document.querySelector<HTMLDialogElement>('#help:not([open])')?.showModal()
}
