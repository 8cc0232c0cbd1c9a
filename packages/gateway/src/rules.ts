import { closest, nameValue, quoted } from '@appfactory/sdk/internal'

/** What an option takes. */
export interface Rule {
  /** In words, for the error. */
  takes: string
  fits(value: unknown): boolean
  /** Its value is not shown. */
  isSecret?: boolean
}

export const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
export const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
export const areTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText)

export const text: Rule = { takes: 'a text that is not empty', fits: isText }
export const texts: Rule = { takes: 'an array of texts that are not empty', fits: areTexts }
export const flag: Rule = { takes: 'true or false', fits: (value) => typeof value === 'boolean' }

/** @param prefix Stands before names of options in errors. @throws TypeError that names the option. */
export function checkOptions(
  what: string,
  options: unknown,
  rules: Readonly<Record<string, Rule>>,
  prefix = '',
): void {
  if (!isObject(options)) throw new TypeError(`${what} takes options as an object, not ${nameValue(options)}`)
  refuseUnknown(what, options, Object.keys(rules))
  for (const [name, { takes, fits, isSecret = false }] of Object.entries(rules)) {
    const value: unknown = Reflect.get(options, name)
    if (value === undefined || fits(value)) continue
    const shown = isSecret ? 'what it was given' : nameValue(value)
    throw new TypeError(`${prefix}${name} takes ${takes}, not ${shown}`)
  }
}

/** @throws TypeError with the nearest of the known names. */
export function refuseUnknown(what: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown === undefined) return
  const meant = closest(unknown, known)
  const hint = meant === undefined ? `Its options are ${known.join(', ')}` : `Did you mean ${meant}?`
  throw new TypeError(`${what} has no option ${quoted(unknown)}. ${hint}`)
}
