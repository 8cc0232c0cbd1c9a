import { signal } from '@preact/signals'

export const sections = ['plugin', 'invoke', 'health', 'load', 'checks', 'logs'] as const

export type Section = (typeof sections)[number]

export interface Route {
  section: Section
  plugin: string | undefined
}

/** What the address says: #/invoke/tts_flite. */
export const route = signal<Route>(read())

window.addEventListener('hashchange', () => {
  route.value = read()
})

export function addressOf({ section, plugin }: Partial<Route>): string {
  const target = plugin ?? route.value.plugin
  return `#/${section ?? route.value.section}${target === undefined ? '' : `/${target}`}`
}

export function go(to: Partial<Route>): void {
  location.hash = addressOf(to)
}

function read(): Route {
  const [, name = '', plugin] = location.hash.split('/')
  return { section: sections.find((section) => section === name) ?? 'plugin', plugin: plugin || undefined }
}
