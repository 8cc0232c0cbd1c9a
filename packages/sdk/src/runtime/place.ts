import { sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { read } from '../errors.js'

/** The plugin's folder, read before its code can change the working directory. */
const folder = process.cwd() + sep

/**
 * The place of an error in the plugin's own code: `/…/src/index.ts:12`. Undefined if its stack does not have it.
 */
export function placeOf(error: unknown): string | undefined {
  const stack = read(error, 'stack')
  if (typeof stack !== 'string') return undefined
  return stack
    .split('\n')
    .map(placeIn)
    .find((place) => place?.startsWith(folder) && !place.includes('node_modules'))
}

/** A longer line is text of the error's message: no path is as long. */
const maxLine = 1000

/** Of `    at run (file:///…/index.js:12:5)`, and of `/…/index.ts:12`, which precedes the text of a syntax error. */
function placeIn(line: string): string | undefined {
  if (line.length > maxLine) return undefined
  const [, path, number] =
    /^\s*(?:at )?(?:.*\()?((?:file:\/\/|\/|[A-Za-z]:[\\/]).*?):(\d+)(?::\d+)?\)?$/.exec(line) ?? []
  if (path === undefined) return undefined
  try {
    const file = path.startsWith('file:') ? fileURLToPath(path) : path
    return `${file}:${number}`
  } catch {
    // An address of another machine, or of no file.
    return undefined
  }
}
