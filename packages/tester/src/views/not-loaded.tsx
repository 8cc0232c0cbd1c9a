import type { Plugin } from '../api/types.js'
import { Problem } from '../parts/problem.js'
import { useAction } from '../parts/use-action.js'
import { loadPlugin, useConfig } from '../state/configs.js'
import { addressOf } from '../state/route.js'

/** In place of what needs a plugin that runs: loads it, as its form on the plugin's page stands. */
export function NotLoaded({ plugin, purpose }: { plugin: Plugin; purpose: string }) {
  const [config] = useConfig(plugin)
  const { busy, error, run } = useAction()
  const address = addressOf({ section: 'plugin', plugin: plugin.name })
  if (!plugin.valid)
    return (
      <section class="empty">
        <h2>{plugin.name} is not valid</h2>
        <p>
          It can’t be loaded. <a href={address}>See why</a>
        </p>
      </section>
    )
  return (
    <section class="empty">
      <h2>{plugin.name} is not loaded</h2>
      <p>Load it {purpose}.</p>
      <div class="actions">
        <button
          type="button"
          class="primary"
          disabled={busy !== undefined}
          onClick={() => run('load', () => loadPlugin(plugin, config))}
        >
          {busy ? 'Loading…' : `Load ${plugin.name}`}
        </button>
        <a class="button" href={address}>
          Change its configuration first
        </a>
      </div>
      {error !== undefined && <Problem error={error} />}
    </section>
  )
}
