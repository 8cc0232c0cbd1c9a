import { nameValue, quoted } from '@appfactory/sdk/internal'
import { count, type NumberRule, time, wrongNumber } from '../numbers.js'
import type { WireArgs } from '../options.js'
import { advice } from '../plugin-settings.js'

/** One of the plugins that a fallback stands for. */
export interface FallbackPlugin {
  /** Its name. */
  plugin: string
  /** Its voices (`voice_id`) by what callers ask for; `*` is any other. Default: the same names. */
  voices?: Readonly<Record<string, string>> | undefined
  /** Its models (`model`) by what callers ask for; `*` is any other. Default: the same names. */
  models?: Readonly<Record<string, string>> | undefined
  /** Arguments by their wire names, for calls that have none of that name. Default: none. */
  defaults?: WireArgs | undefined
}

/** How a fallback tries its plugins. */
export interface FallbackOptions {
  /**
   * How long a plugin may take before the next one is tried, in ms; for a stream: until its first piece. It is not the time of the
   * call: that goes on, and the last plugin gets what is left of it. Default: each gets an equal share of what is left.
   */
  attemptTimeoutMs?: number | undefined
  /** So many failures in a row, and a plugin is passed over. One that is down is passed over at once. Default: 3. */
  leaveAfter?: number | undefined
  /** So many good probes in a row, and it gets calls again. Default: 2. */
  returnAfter?: number | undefined
  /** Between two probes, in ms. It doubles each time that the plugin fails as soon as it is back. Default: 5,000. */
  probeIntervalMs?: number | undefined
  /** A call that shows whether a plugin works; `false`: its health has to do. Default: a short one, where the contract is shipped. */
  probe?: { method: string; args?: WireArgs | undefined } | false | undefined
  /** Rate in Hz that WAV and pcm_s16le sound is changed to, where the caller asks for none. Default: that of the first plugin. */
  sampleRate?: number | undefined
  /** Codes of an author’s own that are the caller’s fault: no other plugin is tried. Default: none. */
  callerErrors?: readonly number[] | undefined
}

/** What holds for a fallback. */
export interface FallbackSettings extends FallbackOptions {
  leaveAfter: number
  returnAfter: number
  probeIntervalMs: number
  callerErrors: readonly number[]
}

const sampleRate: NumberRule = {
  takes: 'a whole number from 4000 to 192000',
  fits: (value) => Number.isInteger(value) && value >= 4000 && value <= 192_000,
}

const numberRules = {
  attemptTimeoutMs: time,
  leaveAfter: count,
  returnAfter: count,
  probeIntervalMs: time,
  sampleRate,
}
const optionNames = [...Object.keys(numberRules), 'probe', 'callerErrors']
const memberNames = ['plugin', 'voices', 'models', 'defaults']

/** More are a mistake. */
const mostPlugins = 32

/** Names of fallbacks. Those of plugins are among them, and so are OpenAI’s of models. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,213}$/

/** What a fallback is made of. */
export interface FallbackGiven {
  name: string
  plugins: readonly FallbackPlugin[]
  settings: FallbackSettings
}

/** What is asked for, before it is checked. */
interface Asked {
  name: unknown
  plugins: unknown
  options: unknown
}

interface Fit {
  name: string
  plugins: readonly (string | FallbackPlugin)[]
  options: FallbackOptions
}

/**
 * What is asked for, checked.
 *
 * @param where Begins the message of the error.
 * @throws TypeError that says what is wrong.
 */
export function fallbackGivenOf(asked: Asked, where = 'fallback(): '): FallbackGiven {
  if (!isFit(asked)) throw new TypeError(`${where}${wrongFallback(asked)}`)
  const { name, plugins, options } = asked
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  return {
    name,
    plugins: plugins.map((each) => (typeof each === 'string' ? { plugin: each } : each)),
    settings: { leaveAfter: 3, returnAfter: 2, probeIntervalMs: 5000, callerErrors: [], ...given },
  }
}

function isFit(asked: object): asked is Fit {
  return wrongFallback(asked) === undefined
}

/** What is wrong with a fallback; undefined: nothing is. */
export function wrongFallback({ name, plugins, options }: Partial<Asked>): string | undefined {
  if (typeof name !== 'string' || !namePattern.test(name))
    return `a name has letters, digits and . _ : - and at most 214 of them, so ${quoted(String(name))} is none`
  return wrongPlugins(plugins) ?? wrongOptions(options)
}

function wrongOptions(options: unknown): string | undefined {
  if (!isObject(options)) return `options are an object, not ${nameValue(options)}`
  const unknown = Object.keys(options).find((key) => !optionNames.includes(key))
  if (unknown !== undefined)
    return `there is no option ${quoted(unknown)}. ${advice(unknown, optionNames, 'options')}`
  const { probe, callerErrors = [] } = options
  if (probe !== undefined && probe !== false && !isProbe(probe))
    return `probe takes false or { method, args }, not ${nameValue(probe)}`
  if (!Array.isArray(callerErrors) || !callerErrors.every(Number.isSafeInteger))
    return `callerErrors takes an array of codes, not ${nameValue(callerErrors)}`
  return wrongNumber(options, numberRules)
}

function wrongPlugins(plugins: unknown): string | undefined {
  if (!Array.isArray(plugins) || plugins.length === 0 || plugins.length > mostPlugins)
    return `plugins are an array of 1 to ${mostPlugins} names, not ${nameValue(plugins)}`
  const names = plugins.map((each: unknown) => (isObject(each) ? each['plugin'] : each))
  if (!names.every((name) => typeof name === 'string' && name !== ''))
    return 'each plugin is a name, or an object with the name as "plugin"'
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) return `${quoted(String(twice))} is there twice`
  for (const each of plugins.filter(isObject)) {
    const wrong = wrongPlugin(each)
    if (wrong !== undefined) return `plugin ${quoted(String(each['plugin']))}: ${wrong}`
  }
  return undefined
}

function wrongPlugin(given: Record<string, unknown>): string | undefined {
  const unknown = Object.keys(given).find((key) => !memberNames.includes(key))
  if (unknown !== undefined) return `there is no key ${quoted(unknown)}. ${advice(unknown, memberNames)}`
  for (const key of ['voices', 'models']) {
    const value = given[key]
    if (value !== undefined && !(isObject(value) && Object.values(value).every(isText)))
      return `${key} takes an object of names, not ${nameValue(value)}`
  }
  const { defaults } = given
  if (defaults !== undefined && !isObject(defaults))
    return `defaults takes an object of arguments, not ${nameValue(defaults)}`
  return undefined
}

function isProbe(value: unknown): boolean {
  if (!isObject(value) || !isText(value['method'])) return false
  return value['args'] === undefined || isObject(value['args'])
}

const isText = (value: unknown): boolean => typeof value === 'string'

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
