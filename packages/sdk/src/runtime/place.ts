import { sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { read } from '../errors.js'

/** The plugin's folder, unless its code goes elsewhere later. */
const folder = process.cwd() + sep

/**
 * Where in the plugin's own code an error arose, or was noticed: `/…/src/index.ts:12`. Undefined where its stack does not
 * tell.
 */
export function placeOf(error: unknown): string | undefined {
  const stack = read(error, 'stack')
  if (typeof stack !== 'string') return undefined
  return stack
    .split('\n')
    .map(placeIn)
    .find((place) => place?.startsWith(folder) && !place.includes('node_modules'))
}

/** Of `    at run (file:///…/index.js:12:5)`, and of `/…/index.ts:12`, which precedes the text of a syntax error. */
function placeIn(line: string): string | undefined {
  const [, path, number] =
    /^\s*(?:at )?(?:.*\()?((?:file:\/\/|\/|[A-Za-z]:[\\/]).*?):(\d+)(?::\d+)?\)?$/.exec(line) ?? []
  if (path === undefined) return undefined
  const file = path.startsWith('file:') ? fileURLToPath(path) : path
  return `${file}:${number}`
}
