import { plugins } from '../state/plugins.js'
import { addressOf } from '../state/route.js'

/** The address names a plugin that is not there. */
export function Unknown({ plugin }: { plugin: string }) {
  const [first] = plugins.value ?? []
  return (
    <section class="empty">
      <h2>There is no plugin “{plugin}”</h2>
      <p>
        The address names it, but none of the plugins folders has it. Choose another one on the list; if its
        folder is new, choose “Refresh”.
      </p>
      {first && <a href={addressOf({ plugin: first.name })}>Go to {first.name}</a>}
    </section>
  )
}
