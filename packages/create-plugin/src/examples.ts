import examples from 'virtual:examples'
import type { Json } from './json.js'

/** What package.json, manifest.json and tsconfig.json of an example say, as far as it is asked for. */
interface Read {
  readonly [key: string]: Json
  readonly contract?: string
  readonly description?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly compilerOptions?: { readonly lib?: readonly string[] }
}

/** Examples that can be copied. */
export const exampleNames = Object.keys(examples)

/** The text of each file of an example, by its path. */
export function filesOfExample(name: string): Readonly<Record<string, string>> {
  return examples[name] ?? {}
}

/** A file of an example that is JSON. */
export function jsonOfExample(name: string, path: string): Read {
  return JSON.parse(filesOfExample(name)[path] ?? '{}')
}
