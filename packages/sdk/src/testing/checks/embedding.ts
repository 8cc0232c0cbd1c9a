import type { EmbeddingResult } from '../../contracts/embedding.types.js'
import type { ContractDescriptor, MethodDescriptor } from '../../descriptor.js'
import { type Check, type CheckContext, must } from '../check.js'
import type { WireArgs } from '../target.js'
import { callForResult, readResult, tryCall } from './calls.js'
import { methodOf } from './find-method.js'
import { listCheck } from './list.js'
import { methodChecks, mustBeForeseen } from './method.js'

/** How far two embeddings of one text may be apart, as a part of their length: engines round otherwise in a batch. */
const tolerance = 0.05

export function embeddingChecks(contract: ContractDescriptor): Check[] {
  const embed = methodOf(contract, 'embed')
  const models = methodOf(contract, 'get_models')
  return [
    ...methodChecks('embedding', embed),
    {
      id: 'embedding.embed.order',
      title: 'A text among others gets the embedding that it gets alone',
      after: ['embedding.embed.result'],
      run: (context) => checkOrder(context, embed),
    },
    {
      id: 'embedding.embed.dimensions',
      title: 'embed gives as many dimensions as it is asked for, or refuses with a code from the table',
      after: ['embedding.embed.result'],
      run: (context) => checkDimensions(context, embed),
    },
    ...methodChecks('embedding', models),
    listCheck('embedding', models, 'id'),
  ]
}

async function checkOrder(context: CheckContext, embed: MethodDescriptor): Promise<void> {
  const { first } = context.samples(embed)
  const texts = textsOf(first)
  const together = await embedAll(context, embed, first)
  const alone: number[][] = []
  for (const text of texts) alone.push(...(await embedAll(context, embed, { ...first, texts: [text] })))
  for (const [index, vector] of together.entries())
    must(
      distance(vector, alone[index] ?? []) <= tolerance * lengthOf(vector),
      `embeddings[${index}] of ${texts.length} texts is not the one that its text gets alone; are they in the order of the texts?`,
    )
  if (texts.length < 2)
    context.note('not compared: there is one text only; give several: samples: { embed: { texts: [ … ] } }')
}

async function checkDimensions(context: CheckContext, embed: MethodDescriptor): Promise<void> {
  const { first } = context.samples(embed)
  const own = (await embedAll(context, embed, first))[0]?.length ?? 0
  for (const dimensions of [Math.max(1, Math.floor(own / 2)), own]) {
    const { answer, error } = await tryCall(context, embed, { ...first, dimensions })
    if (error !== undefined) {
      mustBeForeseen(context, error, `dimensions: ${dimensions}`)
      context.note(`not given: the plugin refuses ${dimensions} dimensions`)
      continue
    }
    const { embeddings } = readResult(context, embed, answer) as EmbeddingResult
    const other = embeddings.find(({ length }) => length !== dimensions)
    must(other === undefined, `asked for ${dimensions} dimensions, it gives ${other?.length}`)
  }
}

function textsOf({ texts }: WireArgs): readonly string[] {
  return Array.isArray(texts) ? texts.map(String) : []
}

async function embedAll(context: CheckContext, embed: MethodDescriptor, args: WireArgs): Promise<number[][]> {
  return ((await callForResult(context, embed, args)) as EmbeddingResult).embeddings
}

function distance(one: readonly number[], other: readonly number[]): number {
  return one.length === other.length
    ? lengthOf(one.map((value, index) => value - (other[index] ?? 0)))
    : Infinity
}

function lengthOf(vector: readonly number[]): number {
  return Math.hypot(...vector)
}
