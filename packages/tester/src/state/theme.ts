import { effect, signal } from '@preact/signals'

export const themes = ['auto', 'light', 'dark'] as const

export type Theme = (typeof themes)[number]

export const theme = signal<Theme>(themes.find((each) => each === stored()) ?? 'auto')
/** Counts changes of the colours that are shown, for what is drawn on a canvas. */
export const themeVersion = signal(0)

effect(() => {
  document.documentElement.dataset['theme'] = theme.value
  try {
    localStorage.setItem('theme', theme.value)
  } catch {}
  themeVersion.value = themeVersion.peek() + 1
})

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  themeVersion.value += 1
})

function stored(): string | null {
  try {
    return localStorage.getItem('theme')
  } catch {
    return null
  }
}

export function nextTheme(): void {
  theme.value = themes[(themes.indexOf(theme.value) + 1) % themes.length] ?? 'auto'
}
