import { plugins } from '../state/plugins.js'

/** There is no plugin to show. */
export function Nothing() {
  if (plugins.value === undefined) return <p class="quiet">Looking for plugins…</p>
  return (
    <section class="empty">
      <h2>No plugins here yet</h2>
      <p>
        A plugin is a folder with a <code>manifest.json</code>. Start the tester with the folder that holds
        yours:
      </p>
      <pre class="code">appfactory-host tester --plugins-dir plugins</pre>
      <p>New folders are found when you choose “Refresh”.</p>
    </section>
  )
}
