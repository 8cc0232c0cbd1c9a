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
  /** One line for a person. */
  description: string
  /** Whether it answers once or in pieces. */
  kind: MethodKind
  /** Whether each plugin of the contract has it. */
  required: boolean
  /** Whether calling it twice does no harm. */
  idempotent: boolean
  /** Names of the arguments that are given by position. null: one object with all. */
  parameters: readonly string[] | null
  /** The argument that may be a stream. null: none. */
  input: string | null
  /** The field of the result that a bare value stands for. null: none. */
  bare: string | null
  /** The field of the result that a caller in TypeScript gets. null: the whole. */
  unwrap: string | null
  /** What it does to a session. null: it is of none. */
  session: SessionRole | null
  /** JSON Schema of its arguments. */
  args: JsonSchema
  /** JSON Schema of its result. */
  result: JsonSchema
  /** JSON Schema of one piece. null: it is no stream. */
  piece: JsonSchema | null
}

/** A contract as plain JSON: what both ends of the wire work from, and what is published. */
export interface ContractDescriptor {
  /** Such as tts. */
  name: string
  /** Semantic version. */
  version: string
  /** One line for a person. */
  description: string
  /** In the order in which they were defined. */
  methods: readonly MethodDescriptor[]
}
