import type { Method, Plugin } from '../api/types.js'
import { chooseMethod, isImplemented } from '../invoke/chosen.js'
import { Status } from '../parts/status.js'
import { loadJobOf } from '../state/configs.js'
import { isRunning, keyOf, manifestOf, useDescription, warningsOf } from '../state/plugins.js'
import { addressOf } from '../state/route.js'
import { LogView } from './logs.js'
import { Running } from './running.js'
import { Start } from './start.js'

/** One plugin: start and stop it, what it declares, what it logs. */
export function PluginView({ plugin }: { plugin: Plugin }) {
  // While a plugin starts, its form stays: it says why a start has failed.
  const isUp = isRunning(plugin) && !loadJobOf(plugin).isRunning
  return (
    <>
      <section aria-labelledby="plugin-title">
        <header class="title">
          <h2 id="plugin-title">{plugin.name}</h2>
          <Status status={plugin.valid ? plugin.status : 'ERROR'} />
        </header>
        <p class="quiet">
          {[plugin.display_name, plugin.version, plugin.description].filter(Boolean).join(' · ')}
        </p>
        {!plugin.valid && <Reasons plugin={plugin} />}
        {plugin.valid && (isUp ? <Running plugin={plugin} /> : <Start plugin={plugin} />)}
      </section>
      <div class="columns">
        <Declared plugin={plugin} />
        <LogView heading={<h3>Its log</h3>} label="Its log" plugin={plugin.name} />
      </div>
    </>
  )
}

function Reasons({ plugin: { errors, path } }: { plugin: Plugin }) {
  return (
    <div class="problem-card">
      <p class="problem-title">Not valid, so it can’t be loaded</p>
      <ul>
        {errors.map((error) => (
          <li key={error}>{error}</li>
        ))}
      </ul>
      <p>
        <b>What to do:</b> correct <code>{path}/manifest.json</code>, then choose “Refresh”.
      </p>
    </div>
  )
}

function Declared({ plugin }: { plugin: Plugin }) {
  const manifest = manifestOf(plugin)
  const { description } = useDescription(plugin)
  const rows: [string, unknown][] = [
    [
      'Contract',
      description ? `${description.contract.name} ${description.contract.version}` : plugin.contract,
    ],
    ['Capabilities', plugin.capabilities.join(', ')],
    ['Dependencies', manifest?.dependencies],
    ['Permissions', manifest?.permissions],
    ['Platforms', manifest?.platforms?.join(', ')],
    ['Least memory', manifest?.min_memory_mb === undefined ? undefined : `${manifest.min_memory_mb} MB`],
    ['Author', plugin.author],
    ['License', manifest?.license],
    ['Tags', manifest?.tags?.join(', ')],
    ['Folder', plugin.path],
    ['Warnings', warningsOf(plugin).join('; ')],
  ]
  return (
    <section class="card" aria-labelledby="declared">
      <h3 id="declared">What it declares</h3>
      <dl class="facts">
        {rows
          .map(([name, value]) => [name, textOf(value)] as const)
          .filter(([, text]) => text !== '')
          .map(([name, text]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{text}</dd>
            </div>
          ))}
      </dl>
      {description && (
        <ul class="methods">
          {description.methods.map((method) => (
            <MethodRow key={method.name} plugin={plugin} method={method} />
          ))}
        </ul>
      )}
    </section>
  )
}

function MethodRow({ plugin, method }: { plugin: Plugin; method: Method }) {
  const { name, kind, required, description } = method
  const isThere = isImplemented(plugin, method)
  return (
    <li>
      {isThere ? (
        <a
          href={addressOf({ section: 'invoke', plugin: keyOf(plugin) })}
          onClick={() => chooseMethod(plugin, name)}
        >
          <code>{name}</code>
        </a>
      ) : (
        <code class="quiet">{name}</code>
      )}{' '}
      {kind === 'stream' && <span class="tag">stream</span>}{' '}
      {!required && <span class="tag">{isThere ? 'optional' : 'not implemented'}</span>}
      <span class="quiet"> {description}</span>
    </li>
  )
}

/** Empty for what is not declared. */
function textOf(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (Array.isArray(value)) return value.map(textOf).join(', ')
  if (typeof value === 'string') return value
  return Object.keys(value).length === 0 ? '' : JSON.stringify(value)
}
