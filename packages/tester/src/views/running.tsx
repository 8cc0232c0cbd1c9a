import { useState } from 'preact/hooks'
import { call } from '../api/rpc.js'
import type { JsonObject, Plugin, SwapAnswer } from '../api/types.js'
import { counted, duration } from '../parts/format.js'
import { Problem } from '../parts/problem.js'
import { useAction } from '../parts/use-action.js'
import { useValidForm } from '../parts/use-valid-form.js'
import { defaultsOf, unloadPlugin, useRunningConfig } from '../state/configs.js'
import { keyOf, plugins, refreshPlugins } from '../state/plugins.js'
import { addressOf, go } from '../state/route.js'
import { ConfigForm } from './config-form.js'

interface Swap {
  name: string
  /** undefined: the one that it has, or its defaults. */
  config?: JsonObject | undefined
}

/** A plugin that is loaded: stop it, start it anew, or put another one in its place. */
export function Running({ plugin }: { plugin: Plugin }) {
  const { busy, error, run } = useAction()
  const [told, setTold] = useState<string>()
  const [keepsState, setKeepsState] = useState(true)
  const running = useRunningConfig(plugin)
  const [isOpen, setOpen] = useState(false)
  const swapTo = ({ name, config }: Swap): void =>
    run(name === plugin.name ? 'reload' : 'swap', async () => {
      setTold(undefined)
      const params = {
        old: plugin.name,
        new: name,
        preserve_state: keepsState,
        ...(config ? { config } : {}),
      }
      setTold(swapText(await call<SwapAnswer>('plugin/swap', params)))
      await refreshPlugins()
      if (name !== plugin.name) go({ plugin: name })
    })
  const isBusy = busy !== undefined
  return (
    <div class="card">
      <div class="actions">
        <a class="button primary" href={addressOf({ section: 'invoke', plugin: keyOf(plugin) })}>
          Invoke a method
        </a>
        <button type="button" onClick={() => swapTo({ name: plugin.name })} disabled={isBusy}>
          {busy === 'reload' ? 'Reloading…' : 'Reload'}
        </button>
        <button type="button" onClick={() => run('unload', () => unloadPlugin(plugin))} disabled={isBusy}>
          {busy === 'unload' ? 'Unloading…' : 'Unload'}
        </button>
        <label class="check">
          <input
            type="checkbox"
            checked={keepsState}
            onChange={({ currentTarget }) => setKeepsState(currentTarget.checked)}
          />
          carry its state over
        </label>
      </div>
      <p class="hint">Reload starts the plugin anew from its files; calls go on meanwhile.</p>
      {running && (
        <details class="fold" open={isOpen} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
          <summary>Configuration that it runs with</summary>
          <Reconfigure
            key={JSON.stringify(running)}
            plugin={plugin}
            running={running}
            isBusy={isBusy}
            onReload={(config) => swapTo({ name: plugin.name, config })}
          />
        </details>
      )}
      <Successor plugin={plugin} isSwapping={busy === 'swap'} isBusy={isBusy} onSwap={swapTo} />
      <p role="status">{told}</p>
      {error !== undefined && <Problem error={error} />}
    </div>
  )
}

function swapText(answer: SwapAnswer): string {
  const state = answer.state_preserved ? 'its state went over' : 'no state went over'
  const took = duration(answer.swap_duration_ms)
  return `${answer.new_plugin} ${answer.new_version} serves after ${took}; ${state}, ${counted(answer.held_calls, 'call')} waited.`
}

interface ReconfigureProps {
  plugin: Plugin
  /** What it runs with. */
  running: JsonObject
  isBusy: boolean
  onReload(config: JsonObject): void
}

/** What the plugin runs with, to look at and to change. */
function Reconfigure({ plugin, running, isBusy, onReload }: ReconfigureProps) {
  const [config, setConfig] = useState(running)
  const [isJsonValid, setJsonValid] = useState(true)
  const validity = useValidForm()
  return (
    <form
      {...validity.props}
      onSubmit={(event) => {
        event.preventDefault()
        if (validity.check(event.currentTarget)) onReload(config)
      }}
    >
      <ConfigForm plugin={plugin} config={config} onChange={setConfig} onValid={setJsonValid} />
      <div class="actions">
        <button type="submit" disabled={isBusy || !isJsonValid || config === running}>
          Reload with this configuration
        </button>
      </div>
      <Trouble what="Not reloaded." trouble={validity.trouble} />
    </form>
  )
}

interface SuccessorProps {
  plugin: Plugin
  isSwapping: boolean
  isBusy: boolean
  onSwap(swap: Swap): void
}

/** Chooses another plugin of the contract, and its configuration. */
function Successor({ plugin, isSwapping, isBusy, onSwap }: SuccessorProps) {
  const others = (plugins.value ?? []).filter(
    ({ name, contract, valid, loaded }) =>
      valid && !loaded && contract === plugin.contract && name !== plugin.name,
  )
  const [chosen, setChosen] = useState('')
  const [config, setConfig] = useState<JsonObject>({})
  const [isJsonValid, setJsonValid] = useState(true)
  const validity = useValidForm()
  const successor = others.find(({ name }) => name === chosen)
  const choose = (name: string): void => {
    const next = others.find((other) => other.name === name)
    setChosen(name)
    setConfig(next ? defaultsOf(next) : {})
    setJsonValid(true)
  }
  return (
    <form
      class="successor"
      {...validity.props}
      onSubmit={(event) => {
        event.preventDefault()
        if (successor && validity.check(event.currentTarget)) onSwap({ name: successor.name, config })
      }}
    >
      <div class="row">
        <select
          aria-label="Plugin to swap in"
          value={successor ? chosen : ''}
          onChange={({ currentTarget }) => choose(currentTarget.value)}
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
        <button type="submit" disabled={isBusy || !successor || !isJsonValid}>
          {isSwapping ? 'Swapping…' : 'Swap'}
        </button>
        <span class="hint">Swap puts another plugin in its place; calls go on.</span>
      </div>
      {successor && (
        <details class="fold" key={successor.name}>
          <summary>Configuration of {successor.name}</summary>
          <ConfigForm plugin={successor} config={config} onChange={setConfig} onValid={setJsonValid} />
        </details>
      )}
      <Trouble what="Not swapped." trouble={validity.trouble} />
    </form>
  )
}

function Trouble({ what, trouble }: { what: string; trouble: string | undefined }) {
  if (trouble === undefined) return null
  return (
    <p class="problem" role="alert">
      {what} {trouble}
    </p>
  )
}
