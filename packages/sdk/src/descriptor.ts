/** A JSON Schema (draft 2020-12), as plain data. */
export type JsonSchema = { readonly [keyword: string]: unknown }

/** `call` answers once; `stream` answers in pieces. */
export type MethodKind = 'call' | 'stream'

/** What a method does to a session: a call of `open` returns `sessionId`; `use` and `close` take it as an argument. */
export type SessionRole = 'open' | 'use' | 'close'

/** One method of a contract as plain JSON, in the names of the wire. */
export interface MethodDescriptor {
  /** TypeScript name: `getVoices`. */
  name: string
  /** Wire name: `get_voices`. */
  wire: string
  description: string
  kind: MethodKind
  required: boolean
  idempotent: boolean
  parameters: readonly string[] | null
  input: string | null
  bare: string | null
  unwrap: string | null
  session: SessionRole | null
  args: JsonSchema
  result: JsonSchema
  piece: JsonSchema | null
}

/** A contract as plain JSON: what both ends of the wire work from, and what is published. */
export interface ContractDescriptor {
  name: string
  version: string
  description: string
  methods: readonly MethodDescriptor[]
}
