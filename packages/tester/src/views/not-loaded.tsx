import type { Plugin } from '../api/types.js'
import { Elapsed } from '../parts/elapsed.js'
import { Problem } from '../parts/problem.js'
import { loadJobOf, startLoading, useConfig } from '../state/configs.js'
import { keyOf } from '../state/plugins.js'
import { addressOf } from '../state/route.js'

/** In place of what needs a plugin that runs: loads it, as its form on the plugin's page stands. */
export function NotLoaded({ plugin, purpose }: { plugin: Plugin; purpose: string }) {
  const [config] = useConfig(plugin)
  const job = loadJobOf(plugin)
  const address = addressOf({ section: 'plugin', plugin: keyOf(plugin) })
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
          disabled={job.isRunning}
          onClick={() => startLoading(plugin, config)}
        >
          {job.isRunning ? 'Loading…' : `Load ${plugin.name}`}
        </button>
        {job.startedAt !== undefined && <Elapsed since={job.startedAt} />}
        <a class="button" href={address}>
          Change its configuration first
        </a>
      </div>
      {job.error !== undefined && <Problem error={job.error} />}
    </section>
  )
}
