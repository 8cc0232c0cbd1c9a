import { useState } from 'preact/hooks'
import { call } from '../api/rpc.js'
import type { JsonObject, Method, Plugin, SwapAnswer } from '../api/types.js'
import { Fields } from '../form/form.js'
import { JsonField } from '../form/json-field.js'
import { resolve } from '../form/schema.js'
import { chooseMethod, isImplemented } from '../invoke/chosen.js'
import { duration } from '../parts/format.js'
import { Problem } from '../parts/problem.js'
import { Status } from '../parts/status.js'
import { useAction } from '../parts/use-action.js'
import { useValidForm } from '../parts/use-valid-form.js'
import { loadPlugin, unloadPlugin, useConfig } from '../state/configs.js'
import { connected } from '../state/events.js'
import {
  isRunning,
  manifestOf,
  plugins,
  refreshPlugins,
  useDescription,
  warningsOf,
} from '../state/plugins.js'
import { addressOf, go } from '../state/route.js'
import { LogView } from './logs.js'

/** One plugin: start and stop it, what it declares, what it logs. */
export function PluginView({ plugin }: { plugin: Plugin }) {
  // Kept here: while a plugin starts it is running for a moment, and its form is gone.
  const loading = useAction()
  return (
    <>
      <section aria-labelledby="plugin-title">
        <header class="title">
          <h2 id="plugin-title">{plugin.display_name ?? plugin.name}</h2>
          <Status status={plugin.valid ? plugin.status : 'ERROR'} />
        </header>
        <p class="quiet">
          {plugin.name}
          {plugin.version && ` ${plugin.version}`}
          {plugin.description && ` · ${plugin.description}`}
        </p>
        {!plugin.valid && <Reasons plugin={plugin} />}
        {plugin.valid &&
          (isRunning(plugin) ? <Running plugin={plugin} /> : <Start plugin={plugin} loading={loading} />)}
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
        <b>What to do:</b> mend <code>{path}/manifest.json</code>, then choose “Look again”.
      </p>
    </div>
  )
}

function Start({ plugin, loading }: { plugin: Plugin; loading: ReturnType<typeof useAction> }) {
  const written = manifestOf(plugin)?.config_schema
  const schema = written && resolve(written, written)
  const [config, setConfig] = useConfig(plugin)
  const [isJsonValid, setJsonValid] = useState(true)
  const validity = useValidForm()
  const { busy, error, run } = loading
  return (
    <form
      class="card"
      {...validity.props}
      onSubmit={(event) => {
        event.preventDefault()
        if (validity.check(event.currentTarget)) run('load', () => loadPlugin(plugin, config))
      }}
    >
      <h3>Configuration</h3>
      {written && schema?.properties ? (
        <div class="two">
          <Fields schema={schema} root={written} value={config} onChange={setConfig} />
        </div>
      ) : (
        <div class="property">
          <label class="label" for="config-json">
            JSON
          </label>
          <JsonField
            id="config-json"
            value={config}
            rows={4}
            isObject
            onValid={setJsonValid}
            onChange={(next) => setConfig(next as JsonObject)}
          />
          <p class="hint">
            {written
              ? 'The config_schema of the manifest is no list of properties, so there is no form: what you write is checked when you load the plugin.'
              : 'The manifest has no config_schema, so there is no form.'}
          </p>
        </div>
      )}
      <div class="actions">
        <button
          type="submit"
          class="primary"
          disabled={busy !== undefined || !isJsonValid || connected.value === false}
        >
          {busy ? 'Loading…' : 'Load'}
        </button>
      </div>
      {validity.trouble !== undefined && (
        <p class="problem" role="alert">
          Not loaded. {validity.trouble}
        </p>
      )}
      {error !== undefined && <Problem error={error} />}
    </form>
  )
}

function Running({ plugin }: { plugin: Plugin }) {
  const { busy, error, run } = useAction()
  const [told, setTold] = useState<string>()
  const others = (plugins.value ?? []).filter(
    ({ name, contract, valid, loaded }) =>
      valid && !loaded && contract === plugin.contract && name !== plugin.name,
  )
  const [replacement, setReplacement] = useState('')
  const swapTo = (name: string): void =>
    run(name === plugin.name ? 'reload' : 'swap', async () => {
      const answer = await call<SwapAnswer>('plugin/swap', { old: plugin.name, new: name })
      setTold(
        `${answer.new_plugin} ${answer.new_version} serves after ${duration(answer.swap_duration_ms)}; ` +
          `${answer.state_preserved ? 'its state went over' : 'there was no state to carry over'}, ` +
          `${answer.held_calls} calls waited.`,
      )
      await refreshPlugins()
      if (name !== plugin.name) go({ plugin: name })
    })
  const unload = (): void => run('unload', () => unloadPlugin(plugin))
  return (
    <div class="card">
      <div class="actions">
        <a class="button primary" href={addressOf({ section: 'invoke', plugin: plugin.name })}>
          Invoke a method
        </a>
        <button type="button" onClick={() => swapTo(plugin.name)} disabled={busy !== undefined}>
          {busy === 'reload' ? 'Reloading…' : 'Reload'}
        </button>
        <button type="button" onClick={unload} disabled={busy !== undefined}>
          {busy === 'unload' ? 'Unloading…' : 'Unload'}
        </button>
        <span class="row swap">
          <select
            aria-label="Plugin to swap in"
            value={replacement}
            onChange={({ currentTarget }) => setReplacement(currentTarget.value)}
            disabled={others.length === 0}
          >
            <option value="">
              {others.length === 0 ? `no ${plugin.contract} plugin to swap in` : 'swap for…'}
            </option>
            {others.map(({ name }) => (
              <option value={name} key={name}>
                {name}
              </option>
            ))}
          </select>
          <button
            type="button"
            disabled={busy !== undefined || replacement === ''}
            onClick={() => swapTo(replacement)}
          >
            {busy === 'swap' ? 'Swapping…' : 'Swap'}
          </button>
        </span>
      </div>
      <p class="hint">
        Reload starts it anew from its files, and swap puts another one in its place: calls go on.
      </p>
      <p role="status">{told}</p>
      {error !== undefined && <Problem error={error} />}
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
          .filter(([, value]) => value !== undefined && value !== null && value !== '')
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{textOf(value)}</dd>
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
          href={addressOf({ section: 'invoke', plugin: plugin.name })}
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

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(textOf).join(', ')
  return typeof value === 'string' ? value : JSON.stringify(value)
}
