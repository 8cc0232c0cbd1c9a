import type { z } from 'zod'
import { type Awaitable, PluginBase } from './base.js'
import { checkDefinition } from './check-definition.js'
import type { CallOptions, clientType } from './client.js'
import {
  type CallContext,
  type ContractBinding,
  type ContractDefinition,
  contractSymbol,
  type MethodBehaviour,
  type MethodDefinition,
} from './contract.js'
import { ownDefaults } from './own-defaults.js'

type Methods = Record<string, MethodDefinition>

/** The return type of a method of a defined contract, as authors write it. */
type Answer<Method extends MethodDefinition> = Method extends {
  kind: 'stream'
  piece: infer Piece extends z.ZodType
}
  ? AsyncIterable<z.input<Piece>>
  : Awaitable<z.input<Method['result']>>

/** The methods of a defined contract, as an author implements them: one object of arguments, and the call's context. */
export type ImplementationOf<M extends Methods> = {
  [Name in keyof M]: (args: z.output<M[Name]['args']>, context: CallContext) => Answer<M[Name]>
}

/** A defined contract, as an application sees it through the host. */
export type DefinedClient<M extends Methods> = {
  [Name in keyof M]: (
    args: z.input<M[Name]['args']>,
    options?: CallOptions,
  ) => M[Name] extends { kind: 'stream'; piece: infer Piece extends z.ZodType }
    ? AsyncIterable<z.output<Piece>>
    : Promise<z.output<M[Name]['result']>>
}

/** An abstract class made from a contract's data: a plugin `extends` it. */
export type DefinedContract<M extends Methods> = {
  new <Config = Record<string, unknown>>(): PluginBase<Config> & { readonly [clientType]?: DefinedClient<M> }
  readonly [contractSymbol]: ContractBinding
  /** What it was made from. */
  readonly definition: ContractDefinition<M>
}

/**
 * Makes a contract of your own. In the plugin, arguments and results pass through its schemas: defaults, transforms and
 * refinements count in both.
 *
 * @throws TypeError where a name breaks a rule, a schema is none of Zod 4, or JSON can't carry what it describes.
 * @example
 * const VectorsContract = defineContract({
 *   name: 'vectors',
 *   version: '1.0.0',
 *   methods: { embed: { args: z.object({ texts: z.array(z.string()) }), result: z.object({ vectors: z.array(z.array(z.number())) }) } },
 * })
 * export default class MyVectors extends VectorsContract implements ImplementationOf<typeof VectorsContract.definition.methods> {
 *   async embed({ texts }: { texts: string[] }) { return { vectors: texts.map(toVector) } }
 *   …
 * }
 */
export function defineContract<const M extends Methods>(
  definition: ContractDefinition<M>,
): DefinedContract<M> {
  checkDefinition(definition)
  for (const { args, result, piece } of Object.values<MethodDefinition>(definition.methods)) {
    for (const schema of [args, result, piece]) if (schema) ownDefaults(schema)
  }
  const binding: ContractBinding = {
    name: definition.name,
    describe: async () => (await import('./describe.js')).describeContract(definition),
    behaviour: Object.fromEntries(
      Object.entries(definition.methods).map(([name, method]) => [name, behaviourOf(method)]),
    ),
    argumentSchemas: schemasOf(definition.methods, ({ args }) => args),
    resultSchemas: schemasOf(definition.methods, ({ result }) => result),
    pieceSchemas: schemasOf(definition.methods, ({ piece }) => piece),
  }
  abstract class Contract extends PluginBase {
    static readonly [contractSymbol] = binding
    static readonly definition = definition
  }
  return Contract as unknown as DefinedContract<M>
}

function behaviourOf({ aggregate }: MethodDefinition): MethodBehaviour {
  return aggregate ? { aggregate: (pieces) => aggregate(pieces as never[]) } : {}
}

function schemasOf(
  methods: Methods,
  pick: (method: MethodDefinition) => z.ZodType | undefined,
): Record<string, z.ZodType> {
  return Object.fromEntries(
    Object.entries(methods).flatMap(([name, method]) => {
      const schema = pick(method)
      return schema ? [[name, schema]] : []
    }),
  )
}
