import { hostVersion } from '@appfactory/host'
import type { JsonSchema, MethodDescriptor } from '@appfactory/sdk'
import { wireSchema } from '@appfactory/sdk/contracts'
import type { Exchange } from '../exchange.js'
import type { PluginDescription } from '../models.js'
import type { Settings } from '../options.js'
import type { Route } from '../routes.js'
import { formsOf } from './answer.js'
import { byteNames, hasReferences, movedTo, propertiesOf, withNulls } from './json-schema.js'
import { errorSchema, type Operation, operations } from './operations.table.js'

/** `GET /openapi.json`: all routes, and each method of each loaded plugin. */
export async function describeApi(exchange: Exchange, routes: readonly Route[]): Promise<void> {
  const { directory, settings } = exchange
  exchange.sendJson(apiDocument(await directory.descriptions(), routes, settings))
}

/** The document, by OpenAPI 3.1. */
function apiDocument(
  plugins: readonly PluginDescription[],
  routes: readonly Route[],
  settings: Settings,
): object {
  const schemas: Record<string, JsonSchema> = { Error: errorSchema }
  const paths = [
    ...routePaths(routes, settings),
    ...plugins.flatMap((plugin) => methodPaths(plugin, schemas)),
  ]
  const hasKeys = !settings.keys.isEmpty
  return {
    openapi: '3.1.0',
    info: {
      title: 'App Factory gateway',
      version: hostVersion,
      description: 'Plugins over OpenAI’s HTTP API, and each method of each plugin.',
    },
    servers: [{ url: '/v1' }],
    ...(hasKeys ? { security: [{ bearer: [] }, { header: [] }] } : {}),
    paths: grouped(paths),
    components: {
      schemas,
      responses: {
        Error: {
          description: 'Why it failed, in the form of OpenAI’s errors.',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        },
      },
      ...(hasKeys ? { securitySchemes } : {}),
    },
  }
}

const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer' },
  header: { type: 'apiKey', in: 'header', name: 'x-api-key' },
}

/** One operation of a path. */
type PathEntry = readonly [path: string, method: string, operation: object]

function grouped(entries: readonly PathEntry[]): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const [path, method, operation] of entries) paths[path] = { ...paths[path], [method]: operation }
  return paths
}

function routePaths(routes: readonly Route[], settings: Settings): PathEntry[] {
  return routes.flatMap(({ method, path, needsKey = true, option }): PathEntry[] => {
    const operation = operations[`${method} ${path}`]
    if (!operation || (option && !settings[option])) return []
    const isPublic = { listing: settings.publicListings, metrics: settings.publicMetrics }
    const isOpen = typeof needsKey === 'string' ? isPublic[needsKey] : !needsKey
    const open = isOpen && !settings.keys.isEmpty ? { security: [] } : {}
    const named = path.replace(/\*$/, `{${operation.path}}`)
    return [[named, method.toLowerCase(), { ...routeOperation(method, named, operation), ...open }]]
  })
}

function routeOperation(method: string, path: string, operation: Operation): object {
  const { summary, json, form, answers = ['application/json'] } = operation
  const id = `${method.toLowerCase()}${path.replace(/\W+/g, '_')}`.replace(/_$/, '')
  const media = json ? { 'application/json': { schema: withNulls(wireSchema(json, 'input')) } } : {}
  const fields = form ? { 'multipart/form-data': { schema: withFile(wireSchema(form, 'input')) } } : {}
  const content = { ...media, ...fields }
  return {
    operationId: id,
    summary,
    ...parametersOf(operation),
    ...(json || form ? { requestBody: { required: true, content } } : {}),
    responses: responsesOf(
      answers.map((type) => [type, type === 'application/json' ? { type: 'object' } : {}]),
    ),
  }
}

function parametersOf({ path, query = [] }: Operation): object {
  const schema = { type: 'string' }
  const parameters = [
    ...(path === undefined ? [] : [{ name: path, in: 'path', required: true, schema }]),
    ...query.map((name) => ({ name, in: 'query', required: false, schema })),
  ]
  return parameters.length === 0 ? {} : { parameters }
}

function withFile(schema: JsonSchema): JsonSchema {
  const required = Array.isArray(schema['required']) ? schema['required'] : []
  const properties = { file: fileSchema, ...propertiesOf(schema) }
  return { ...schema, properties, required: ['file', ...required] }
}

/** What OpenAPI 3.1 calls a file is empty; most tools still look for 3.0’s format. */
const fileSchema: JsonSchema = {
  type: 'string',
  format: 'binary',
  contentMediaType: 'application/octet-stream',
}

function responsesOf(content: readonly (readonly [type: string, schema: JsonSchema])[]): object {
  return {
    200: {
      description: 'The answer.',
      content: Object.fromEntries(content.map(([type, schema]) => [type, { schema }])),
    },
    default: { $ref: '#/components/responses/Error' },
  }
}

function methodPaths(
  { name, contract }: PluginDescription,
  schemas: Record<string, JsonSchema>,
): PathEntry[] {
  return contract.methods.map((method) => [
    `/plugins/${name}/${method.wire}`,
    'post',
    { tags: [name], ...methodOperation(`${name}__${method.wire}`, method, schemas) },
  ])
}

function methodOperation(id: string, method: MethodDescriptor, schemas: Record<string, JsonSchema>): object {
  const args = placed(`${id}.args`, withNulls(method.args), schemas)
  const result = placed(`${id}.result`, method.result, schemas)
  const form =
    byteNames(method.args).length > 0 ? { 'multipart/form-data': { schema: formSchema(args) } } : {}
  const required = Array.isArray(method.args['required']) && method.args['required'].length > 0
  return {
    operationId: id,
    summary: method.description,
    requestBody: { required, content: { 'application/json': { schema: args }, ...form } },
    responses: responsesOf(formsOf(method).map((each) => [mediaTypes[each], each === 'json' ? result : {}])),
  }
}

const mediaTypes = {
  json: 'application/json',
  events: 'text/event-stream',
  bytes: 'application/octet-stream',
} as const

/** A schema as it may stand in the document. One that refers to itself gets a place of its own. */
function placed(name: string, schema: JsonSchema, schemas: Record<string, JsonSchema>): JsonSchema {
  if (!hasReferences(schema)) return schema
  const root = `#/components/schemas/${name}`
  const at = movedTo(root, schema)
  schemas[name] = at
  return at
}

/** The same arguments as fields of a form, in which bytes are files. */
function formSchema(args: JsonSchema): JsonSchema {
  const plain = (name: string): string => name.replace(/_b64$/, '')
  const properties = Object.entries(propertiesOf(args)).map(([name, schema]) => [
    plain(name),
    name.endsWith('_b64') ? { ...fileSchema, ...describedAs(schema) } : schema,
  ])
  const required = Array.isArray(args['required']) ? args['required'].map((name) => plain(String(name))) : []
  return { ...args, properties: Object.fromEntries(properties), required }
}

function describedAs({ description }: JsonSchema): object {
  return description === undefined ? {} : { description }
}
