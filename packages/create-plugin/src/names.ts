import { builtinModules } from 'node:module'
import { ranges } from 'virtual:versions'
import { namePattern } from '@appfactory/sdk/manifest'

/** Names that Windows keeps for devices, with any extension. */
const windowsDevices = /^(con|prn|aux|nul|com[0-9]|lpt[0-9]|conin\$|conout\$)(\.|$)/i

/** Names that npm refuses, or that an import would take for something else. */
const npmReserved = ['node_modules', 'favicon.ico', 'package.json']

/** The problem with the name of a plugin, which is also the name of its folder and its npm package. */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'it is empty; give a name such as my_tts_plugin'
  if (/[/\\]/.test(name) || /^\.+$/.test(name)) {
    return `${shown(name)} is a path; change to the parent folder and give a name only, or . for the current folder`
  }
  if (name.length > 100) return `it has ${name.length} characters; at most 100 are allowed`
  if (windowsDevices.test(name))
    return `${shown(name)} is the name of a device on Windows; choose another name`
  if (npmReserved.includes(name)) return `${shown(name)} is reserved by npm; choose another name`
  if (builtinModules.includes(name)) return `${shown(name)} is the name of a Node module; choose another name`
  // In a package of that name, an import of the other would find the package itself.
  if (Object.hasOwn(ranges, name))
    return `${shown(name)} is a package that the plugin uses; choose another name`
  if (namePattern.test(name)) return undefined
  const suggestion = asName(name)
  const advice = suggestion === undefined ? '' : `; for example ${suggestion}`
  return `${shown(name)} is not lower-case words of letters and digits, joined by _ or -${advice}`
}

/** The nearest valid name, if there is one: `My TTS Plugin!` is my_tts_plugin. */
function asName(text: string): string | undefined {
  const name = text
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^[_0-9]+|_+$/g, '')
  return namePattern.test(name) && nameProblem(name) === undefined ? name : undefined
}

/** Printable, on one line and not too long, whatever it is. */
export function shown(text: string): string {
  const quoted = JSON.stringify(text)
  return quoted.length > 60 ? `${quoted.slice(0, 57)}…"` : quoted
}

const acronyms = new Set(['tts', 'stt', 'llm', 'ai', 'api', 'vad'])

/** The display name: `my_tts_plugin` is My TTS Plugin. */
export function titleOf(name: string): string {
  const words = name.split(/[_-]/).map((word) => (acronyms.has(word) ? word.toUpperCase() : capital(word)))
  return words.join(' ')
}

/** The class name: `my_tts_plugin` is MyTtsPlugin. */
export function classNameOf(name: string): string {
  const words = name.split(/[_-]/).map(capital).join('')
  return words.endsWith('Plugin') ? words : `${words}Plugin`
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
