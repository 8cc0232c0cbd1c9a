import { createHash } from 'node:crypto'
import type { JsonSchema, MethodDescriptor } from '@appfactory/sdk'
import type { Tool } from '@modelcontextprotocol/server'
import type { Directory, PluginDescription } from '../models.js'
import { byteNames, movedTo, propertiesOf } from '../rest/json-schema.js'

/** A method of a plugin as clients of MCP see it. */
export interface PluginTool {
  plugin: string
  method: MethodDescriptor
  tool: Tool
}

/** Longest name that all clients take, in characters. */
const longestName = 64

/** The methods of all loaded plugins. One that is being started is waited for; one that can’t be described is left out. */
export async function pluginTools(directory: Directory, takesFiles: boolean): Promise<PluginTool[]> {
  const plugins = await directory.descriptions()
  return plugins.flatMap((plugin) =>
    plugin.contract.methods.map((method) => ({
      plugin: plugin.name,
      method,
      tool: toolOf(plugin, method, takesFiles),
    })),
  )
}

function toolOf(plugin: PluginDescription, method: MethodDescriptor, takesFiles: boolean): Tool {
  const { wire, description, args, idempotent } = method
  const about = plugin.description ?? plugin.displayName
  return {
    name: toolName(plugin.name, wire),
    description: about === null ? description : `${description} ${about}`,
    inputSchema: objectSchema(takesFiles ? withFiles(args) : args),
    ...(hasPlainResult(method) ? { outputSchema: outputSchema(method.result) } : {}),
    annotations: { idempotentHint: idempotent },
  }
}

/** `plugin__method`: names of plugins have no double underscores. */
export function toolName(plugin: string, method: string): string {
  const name = `${plugin}__${method}`
  if (name.length <= longestName) return name
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 8)
  return `${name.slice(0, longestName - digest.length - 1)}-${digest}`
}

/** Whether its result is told as it is: bytes and pieces go another way. */
export function hasPlainResult({ kind, result }: MethodDescriptor): boolean {
  return kind === 'call' && byteNames(result).length === 0
}

/** Results of MCP are objects: another one is wrapped. */
export function isObjectSchema({ type }: JsonSchema): boolean {
  return type === 'object'
}

function outputSchema(result: JsonSchema): Tool['inputSchema'] {
  if (isObjectSchema(result)) return objectSchema(result)
  return objectSchema({
    properties: { result: movedTo('#/properties/result', result) },
    required: ['result'],
  })
}

function objectSchema(schema: JsonSchema): Tool['inputSchema'] {
  return { ...schema, type: 'object' }
}

/** Bytes may also be a file, which an argument of another name tells. */
function withFiles(args: JsonSchema): JsonSchema {
  const files = byteNames(args).map((name) => [fileArgument(name), fileSchema] as const)
  const required = Array.isArray(args['required']) ? args['required'] : []
  return {
    ...args,
    properties: { ...Object.fromEntries(files), ...propertiesOf(args) },
    required: required.filter((name) => !String(name).endsWith('_b64')),
  }
}

const fileSchema: JsonSchema = {
  type: 'string',
  description: 'In place of the bytes: the path of a file in the folder that is shared with this server.',
}

/** The argument that tells the file of bytes. */
export function fileArgument(name: string): string {
  return `${name}_file`
}
