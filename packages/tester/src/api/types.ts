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

export interface Plugin {
  name: string
  display_name: string | null
  version: string | null
  contract: string | null
  description: string | null
  author: string | null
  path: string
  valid: boolean
  errors: string[]
  loaded: boolean
  status: string
  capabilities: string[]
}

export interface Found {
  name: string
  path: string
  valid: boolean
  warnings: string[]
  manifest: Manifest | null
}

export interface Method {
  name: string
  description: string
  kind: 'call' | 'stream'
  required: boolean
  idempotent: boolean
  /** The argument that may be sent piece by piece. */
  input: string | null
  args: Schema
  result: Schema
  piece: Schema | null
}

export interface Description {
  contract: { name: string; version: string; description: string }
  methods: Method[]
}

export interface Health {
  status: string
  message: string
  details: Record<string, unknown>
  latency_ms: number | null
  memory_mb: number | null
}

export interface Sample {
  at: number
  host: Record<string, number | string>
  plugins: Record<string, Health>
}

export interface TimelineEvent {
  at: number
  type: 'status' | 'crash' | 'restart' | 'swap'
  plugin: string
  status?: string
  previous?: string
  message?: string
  stderr?: string
  attempt?: number
  delay_ms?: number
  replacement?: string
  step?: string
  duration_ms?: number
  error?: string
}

export interface LogLine {
  seq: number
  at: number
  plugin: string
  level: string
  message: string
}

export interface ErrorRow {
  code: number
  name: string
  description: string
  advice: string
}

export interface SwapAnswer {
  new_plugin: string
  new_version: string
  state_preserved: boolean
  swap_duration_ms: number
  held_calls: number
}
