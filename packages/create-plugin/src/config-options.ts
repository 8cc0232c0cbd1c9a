import { closest } from '@appfactory/sdk/internal'
import { shown } from './names.js'
import { fitting, numberText, sourceString, textProblem } from './text.js'

const types = ['string', 'integer', 'number', 'boolean'] as const
type OptionType = (typeof types)[number]

/** One option of the plugin's configuration. */
export interface ConfigOption {
  name: string
  type: OptionType
  default?: string | number | boolean
}

/** Reads `retries:integer=3`, or returns the problem with it. */
export function configOption(
  text: string,
): { option: ConfigOption; problem?: undefined } | { option?: undefined; problem: string } {
  const [, name = '', type = '', value] = /^([^:=]*):?([^=]*)=?(.*)$/s.exec(text) ?? []
  const given = text.includes('=') ? value : undefined
  if (!/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name) || name.length > 40) {
    return { problem: `${shown(text)} must start with a name in snake_case, such as api_key:string` }
  }
  const known = types.find((one) => one === type)
  if (!known) {
    const near = closest(type, types)
    const advice = near === undefined ? '' : `. Did you mean ${name}:${near}?`
    return { problem: `${shown(text)} has no valid type (${types.join(', ')})${advice}` }
  }
  if (given === undefined) return { option: { name, type: known } }
  const fallback = readDefault(known, given)
  if (fallback === undefined) return { problem: `${shown(text)}: ${shown(given)} is not of type ${known}` }
  const problem = textProblem(given, 60)
  return problem === undefined
    ? { option: { name, type: known, default: fallback } }
    : { problem: `${shown(text)}: ${problem}` }
}

function readDefault(type: OptionType, text: string): string | number | boolean | undefined {
  if (type === 'string') return text
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined
  const number = Number(text)
  if (text.trim() === '' || !Number.isFinite(number)) return undefined
  return type === 'number' || Number.isSafeInteger(number) ? number : undefined
}

/** The option as source, to stand in an object: `retries: z.int().default(3),`. */
export function zodSource({ name, type, default: fallback }: ConfigOption): string {
  const schema = `${type === 'integer' ? 'int' : type}()`
  if (fallback === undefined) return `${name}: z.${schema}.optional(),`
  const value = literal(fallback)
  const step = fitting(4, `.default(${value}),`, `.default(\n      ${value},\n    ),`)
  return fitting(2, `${name}: z.${schema}.default(${value}),`, `${name}: z\n    .${schema}\n    ${step}`)
}

function literal(value: string | number | boolean): string {
  if (typeof value === 'string') return sourceString(value)
  return typeof value === 'number' ? numberText(value) : String(value)
}

/** The option in the manifest's JSON Schema, as Zod would write it. */
export function jsonSchema({ type, default: fallback }: ConfigOption): Record<string, unknown> {
  const limits =
    type === 'integer' ? { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER } : {}
  return { ...(fallback === undefined ? {} : { default: fallback }), type, ...limits }
}
