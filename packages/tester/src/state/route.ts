import { signal } from '@preact/signals'

export const sections = ['plugin', 'invoke', 'health', 'load', 'checks', 'logs', 'wire', 'talk'] as const

export type Section = (typeof sections)[number]

export interface Route {
  section: Section
  /** Its name, or its folder. */
  plugin: string | undefined
}

/** What the address says: #/invoke/tts_flite. */
export const route = signal<Route>(read())

window.addEventListener('hashchange', () => {
  route.value = read()
})

export function addressOf({ section, plugin }: Partial<Route>): string {
  const target = plugin ?? route.value.plugin
  return `#/${section ?? route.value.section}${target === undefined ? '' : `/${encodeURIComponent(target)}`}`
}

export function go(to: Partial<Route>): void {
  location.hash = addressOf(to)
}

function read(): Route {
  const [, name = '', plugin] = location.hash.split('/')
  return {
    section: sections.find((section) => section === name) ?? 'plugin',
    plugin: plugin ? decoded(plugin) : undefined,
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
