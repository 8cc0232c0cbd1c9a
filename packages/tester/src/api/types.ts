import type {
  DescribeResult,
  DiscoverResult,
  HealthResult,
  PluginResult,
  SwapResultOnWire,
} from '../../../host/src/server/results.js'

export type { ErrorRow } from '@appfactory/sdk'
export type {
  Batch,
  CheckReport,
  LoadReport,
  LogLine,
  Sample,
  TimelineEvent,
  WireBatch,
} from '../../../host/src/tester/messages.js'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

export type JsonObject = Record<string, unknown>

export interface Schema {
  type?: string | string[]
  title?: string
  description?: string
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  enum?: unknown[]
  const?: unknown
  default?: unknown
  minimum?: number
  maximum?: number
  minLength?: number
  minItems?: number
  contentEncoding?: string
  format?: string
  writeOnly?: boolean
  /** Of an `enum` whose values have titles: those, in the same order. */
  titles?: string[]
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
  $ref?: string
  $defs?: Record<string, Schema>
  additionalProperties?: boolean | Schema
}

export interface Manifest {
  name: string
  version: string
  contract: string
  description?: string
  license?: string
  tags?: string[]
  platforms?: string[]
  dependencies?: unknown
  permissions?: unknown
  config_schema?: Schema
  default_config?: JsonObject
  min_memory_mb?: number
}

export type Plugin = PluginResult

export type Found = Omit<DiscoverResult['plugins'][number], 'manifest'> & { manifest: Manifest | null }

type DescribedMethod = DescribeResult['methods'][number]

/** Its schemas, as what forms are made of. */
export type Method = Omit<DescribedMethod, 'args' | 'result' | 'piece'> & {
  args: Schema
  result: Schema
  piece: Schema | null
}

export type Description = Pick<DescribeResult, 'contract'> & { methods: Method[] }

export type Health = HealthResult

export type SwapAnswer = SwapResultOnWire
