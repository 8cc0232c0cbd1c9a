import { nameValue } from '@appfactory/sdk/internal'

/** Which numbers an option takes. */
export interface NumberRule {
  /** In words, for the error. */
  takes: string
  fits(value: number): boolean
}

/** A time after which something is done, in ms. */
export const time: NumberRule = {
  takes: 'a number of ms above 0, or Infinity for never',
  fits: (value) => value > 0,
}

/** How many there may be. */
export const count: NumberRule = {
  takes: 'a whole number above 0, or Infinity for no limit',
  fits: (value) => isWhole(value, 1) || value === Number.POSITIVE_INFINITY,
}

/** How often something is done again. */
export const repeats: NumberRule = {
  takes: 'a whole number, 0 or more, or Infinity for no limit',
  fits: (value) => isWhole(value, 0) || value === Number.POSITIVE_INFINITY,
}

/** A size, in bytes or MB: what the other end is told, so that there has to be one. */
export const size: NumberRule = {
  takes: 'a whole number above 0',
  fits: (value) => isWhole(value, 1),
}

/** Most processes of one plugin. */
export const maxReplicas = 64

/** How many processes of a plugin there are to be. */
export const replicaCount: NumberRule = {
  takes: `a whole number from 1 to ${maxReplicas}`,
  fits: (value) => isWhole(value, 1) && value <= maxReplicas,
}

/** Most processes of one plugin on all nodes of a cluster together. */
export const maxWanted = 1000

/** How many processes of a plugin all nodes of a cluster are to have together. */
export const wantedCount: NumberRule = {
  takes: `a whole number from 1 to ${maxWanted}`,
  fits: (value) => isWhole(value, 1) && value <= maxWanted,
}

/** A figure for people and programs: nobody needs more of a second, or of a millisecond, than a thousandth. */
export function rounded(figure: number): number {
  return Math.round(figure * 1000) / 1000
}

/** What is wrong with the first of the options that is not as its rule says; undefined: nothing is. */
export function wrongNumber(
  options: object,
  rules: Readonly<Record<string, NumberRule>>,
  prefix = '',
): string | undefined {
  for (const name of Object.keys(rules)) {
    const value: unknown = Reflect.get(options, name)
    const rule = rules[name]
    if (value === undefined || !rule || (typeof value === 'number' && rule.fits(value))) continue
    return `${prefix}${name} takes ${rule.takes}, not ${nameValue(value)}`
  }
  return undefined
}

/**
 * Those of the options that have a rule and a value.
 *
 * @param prefix Stands before their names in the error.
 * @throws TypeError with the name of one that is not as its rule says, and its value.
 */
export function checkedNumbers<Options extends object>(
  options: Options,
  rules: Readonly<Record<keyof Options & string, NumberRule>>,
  prefix = '',
): Partial<Options> {
  const wrong = wrongNumber(options, rules, prefix)
  if (wrong !== undefined) throw new TypeError(wrong)
  const given = Object.entries(options).filter(
    ([name, value]) => value !== undefined && Object.hasOwn(rules, name),
  )
  return Object.fromEntries(given) as Partial<Options>
}

function isWhole(value: number, least: number): boolean {
  return Number.isSafeInteger(value) && value >= least
}
