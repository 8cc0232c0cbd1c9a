import type { z } from 'zod'
import { namePattern } from '../name-pattern.js'
import { type Awaitable, PluginBase } from './base.js'
import type { CallOptions, clientType } from './client.js'
import {
  type CallContext,
  type ContractBinding,
  type ContractDefinition,
  contractSymbol,
  type MethodBehaviour,
  type MethodDefinition,
} from './contract.js'
import { methodNamePattern, reservedNames } from './names.js'

type Methods = Record<string, MethodDefinition>

/** What a method of a defined contract returns, as its author writes it. */
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
  readonly definition: ContractDefinition<M>
}

/**
 * Makes a contract of your own.
 *
 * @throws TypeError where a name breaks a rule.
 * @example
 * const EmbeddingContract = defineContract({
 *   name: 'embedding',
 *   version: '1.0.0',
 *   methods: { embed: { args: z.object({ texts: z.array(z.string()) }), result: z.object({ vectors: z.array(z.array(z.number())) }) } },
 * })
 * export default class MyEmbedding extends EmbeddingContract implements ImplementationOf<typeof EmbeddingContract.definition.methods> {
 *   async embed({ texts }: { texts: string[] }) { return { vectors: texts.map(toVector) } }
 *   …
 * }
 */
export function defineContract<const M extends Methods>(
  definition: ContractDefinition<M>,
): DefinedContract<M> {
  checkDefinition(definition)
  const binding: ContractBinding = {
    name: definition.name,
    describe: async () => (await import('./describe.js')).describeContract(definition),
    behaviour: Object.fromEntries(
      Object.entries(definition.methods).map(([name, method]) => [name, behaviourOf(method)]),
    ),
    argumentSchemas: Object.fromEntries(
      Object.entries(definition.methods).map(([name, { args }]) => [name, args]),
    ),
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

function checkDefinition({ name, methods }: ContractDefinition): void {
  if (!namePattern.test(name)) {
    throw new TypeError(`A contract's name is lower-case words joined by _ or -, not "${name}"`)
  }
  for (const [method, { kind, piece }] of Object.entries(methods)) {
    if (!methodNamePattern.test(method))
      throw new TypeError(`${name}: a method's name is in camelCase, not "${method}"`)
    if (reservedNames.has(method))
      throw new TypeError(`${name}: the name "${method}" is taken by every plugin; choose another`)
    if (kind === 'stream' && !piece)
      throw new TypeError(`${name}.${method}: a stream needs the schema of a piece`)
  }
}
