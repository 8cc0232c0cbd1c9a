import { realpath } from 'node:fs/promises'
import { isAbsolute, relative, resolve } from 'node:path'
import { readSmallBytes } from '@appfactory/host/internal'
import type { JsonSchema } from '@appfactory/sdk'
import { Bytes } from '@appfactory/sdk/internal'
import { wrongMember } from '../errors.js'
import { byteNames, propertiesOf } from '../rest/json-schema.js'
import { fileArgument } from './tools.js'

type Args = Readonly<Record<string, unknown>>

/** Longest file, in bytes. */
const mostFileBytes = 25 * 1024 * 1024

/** The arguments with the bytes of the files that they name. @throws RequestError that names the argument. */
export async function withFilesRead(args: Args, schema: JsonSchema, root: string | undefined): Promise<Args> {
  if (root === undefined) return args
  const known = propertiesOf(schema)
  const named = byteNames(schema)
    .map((name) => ({ argument: fileArgument(name), bytes: `${name}_b64` }))
    // A method that has such an argument itself gets it.
    .filter(({ argument }) => !Object.hasOwn(known, argument) && args[argument] !== undefined)
  const read = await Promise.all(
    named.map(async ({ argument, bytes }) => {
      if (args[bytes] !== undefined) throw wrongMember(argument, `give only one of ${argument} and ${bytes}`)
      return [bytes, new Bytes(await readBelow(root, argument, args[argument]))] as const
    }),
  )
  const files = new Set(named.map(({ argument }) => argument))
  const others = Object.entries(args).filter(([name]) => !files.has(name))
  return Object.fromEntries([...others, ...read])
}

/** What lies outside is as if it were not there. */
async function readBelow(root: string, argument: string, path: unknown): Promise<Buffer> {
  if (typeof path !== 'string') throw wrongMember(argument, 'must be the path of a file')
  try {
    const folder = await realpath(root)
    const file = await realpath(resolve(folder, path))
    const inside = relative(folder, file)
    if (inside === '..' || /^\.\.[/\\]/.test(inside) || isAbsolute(inside)) throw new Error('it is outside')
    return await readSmallBytes(file, mostFileBytes)
  } catch {
    throw wrongMember(
      argument,
      `is no file of at most ${mostFileBytes} bytes in the folder that is shared (--mcp-root)`,
    )
  }
}
