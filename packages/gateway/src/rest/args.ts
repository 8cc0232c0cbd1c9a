import type { JsonSchema, MethodDescriptor } from '@appfactory/sdk'
import { Bytes, isInputMarker, parseJson } from '@appfactory/sdk/internal'
import { wrongMember } from '../errors.js'
import type { Exchange } from '../exchange.js'
import { type Form, isForm, readForm } from '../multipart.js'
import { byteNames, itemsOf, propertiesOf, takesText } from './json-schema.js'

type Args = Record<string, unknown>

/** The arguments of a call, by their wire names: a JSON object, a form, or nothing. @throws RequestError. */
export async function readArgs(exchange: Exchange, { args: schema }: MethodDescriptor): Promise<Args> {
  const { request } = exchange
  if (isForm(request)) return argsOfForm(await readForm(exchange, fileNames(schema)), schema)
  if (isEmpty(exchange)) return {}
  return checkedArgs(Object.fromEntries(Object.entries(await exchange.readJson())))
}

/** An argument that is to follow piece by piece would be waited for: nothing follows here. @throws RequestError 400. */
export function checkedArgs(args: Args): Args {
  const streamed = Object.keys(args).find((name) => isInputMarker(args[name]))
  if (streamed !== undefined) throw wrongMember(streamed, 'must come whole, not piece by piece')
  return args
}

function fileNames(schema: JsonSchema): string[] {
  return byteNames(schema).flatMap((name) => [name, `${name}_b64`])
}

function isEmpty({ request: { headers } }: Exchange): boolean {
  return headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0
}

/** A form has texts and files: the schema tells what becomes of them. */
function argsOfForm({ files, fields }: Form, schema: JsonSchema): Args {
  const known = new Map(Object.entries(propertiesOf(schema)))
  const bytes = [...files].map(([name, file]) => [name.replace(/(_b64)?$/, '_b64'), new Bytes(file)] as const)
  const values = [...fields].map(([field, texts]) => {
    const name = field.replace(/\[\]$/, '')
    if (name === '__proto__') throw wrongMember(name, 'is not the name of an argument')
    const given = known.get(name) ?? {}
    if (texts.length > 1 && given['type'] !== 'array') throw wrongMember(name, 'must come once')
    return [name, argumentOf(texts, given)] as const
  })
  return checkedArgs(Object.fromEntries([...values, ...bytes]))
}

function argumentOf(texts: readonly string[], schema: JsonSchema): unknown {
  const [text = ''] = texts
  if (schema['type'] !== 'array') return singleValue(text, schema)
  const whole = texts.length === 1 ? parsed(text) : undefined
  return Array.isArray(whole) ? whole : texts.map((each) => singleValue(each, itemsOf(schema) ?? {}))
}

function singleValue(text: string, schema: JsonSchema): unknown {
  const value = schema['type'] === 'string' ? text : parsed(text)
  // A number may be meant as text, an object is not.
  return typeof value !== 'object' && takesText(schema) ? text : value
}

/** What is no JSON stays text: the plugin tells what is wrong with it. */
function parsed(text: string): unknown {
  try {
    return parseJson(text)
  } catch {
    return text
  }
}
