import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Debian's name, and others. */
const names = ['chromium', 'chromium-browser', 'google-chrome', 'chrome']

/** The browser of this machine: `CHROMIUM`, or the first that PATH has. */
export function findChromium(): string | undefined {
  const { CHROMIUM, PATH = '', CI } = process.env
  const folders = PATH.split(delimiter)
  const found = CHROMIUM ?? names.flatMap((name) => folders.map((dir) => join(dir, name))).find(existsSync)
  // Where everything has to be checked, nothing may be left out silently.
  if (found === undefined && CI)
    throw new Error(
      'There is no Chromium: install it (apt-get install chromium), or say where it is in CHROMIUM',
    )
  return found
}
