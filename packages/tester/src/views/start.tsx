import { useState } from 'preact/hooks'
import type { Plugin } from '../api/types.js'
import { Elapsed } from '../parts/elapsed.js'
import { Problem } from '../parts/problem.js'
import { useValidForm } from '../parts/use-valid-form.js'
import { loadJobOf, startLoading, useConfig } from '../state/configs.js'
import { connected } from '../state/events.js'
import { ConfigForm } from './config-form.js'

/** A plugin that is not loaded: its configuration, and a button. It stays on the page until the plugin has started. */
export function Start({ plugin }: { plugin: Plugin }) {
  const [config, setConfig] = useConfig(plugin)
  const [isJsonValid, setJsonValid] = useState(true)
  const validity = useValidForm()
  const { isRunning, startedAt, error } = loadJobOf(plugin)
  return (
    <form
      class="card"
      {...validity.props}
      onSubmit={(event) => {
        event.preventDefault()
        if (validity.check(event.currentTarget)) startLoading(plugin, config)
      }}
    >
      <h3>Configuration</h3>
      <ConfigForm plugin={plugin} config={config} onChange={setConfig} onValid={setJsonValid} />
      <div class="actions">
        <button
          type="submit"
          class="primary"
          disabled={isRunning || !isJsonValid || connected.value === false}
        >
          {isRunning ? 'Loading…' : 'Load'}
        </button>
        {startedAt !== undefined && <Elapsed since={startedAt} />}
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
