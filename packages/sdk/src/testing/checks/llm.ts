import { isDeepStrictEqual } from 'node:util'
import { textOf } from '../../contracts/llm.js'
import type { ChatResult, CompletionResult, TextChunk } from '../../contracts/llm.types.js'
import type { ContractDescriptor, MethodDescriptor } from '../../descriptor.js'
import { type Check, type CheckContext, must } from '../check.js'
import { streamForPieces } from './calls.js'
import { methodOf } from './find-method.js'
import { listCheck } from './list.js'
import { methodChecks, needs, notSteady } from './method.js'
import { steadyResult, streamChecks } from './stream.js'

export function llmChecks(contract: ContractDescriptor): Check[] {
  const [complete, chat] = [methodOf(contract, 'complete'), methodOf(contract, 'chat')]
  const models = methodOf(contract, 'get_models')
  const streams: [MethodDescriptor, MethodDescriptor][] = [
    [methodOf(contract, 'stream_complete'), complete],
    [methodOf(contract, 'stream_chat'), chat],
  ]
  return [
    ...methodChecks('llm', complete),
    ...methodChecks('llm', chat),
    {
      id: 'llm.chat.role',
      title: 'chat answers as the assistant',
      after: ['llm.chat.result'],
      run: async (context) => {
        const { result } = await steadyResult(context, chat, context.samples(chat).first)
        const { role } = (result as ChatResult).message
        must(role === 'assistant', `the role of the answer is ${role}`)
      },
    },
    ...methodChecks('llm', models),
    listCheck('llm', models, 'id'),
    ...streams.flatMap(([stream, twin]) => [
      ...methodChecks('llm', stream),
      ...streamChecks('llm', stream),
      joinedCheck(stream, twin),
    ]),
  ]
}

function joinedCheck(stream: MethodDescriptor, twin: MethodDescriptor): Check {
  return {
    ...needs(stream),
    id: `llm.${stream.wire}.joined`,
    title: `The pieces of ${stream.wire} together are what ${twin.wire} says`,
    after: [`llm.${stream.wire}.pieces`, `llm.${twin.wire}.result`],
    run: (context) => checkJoined(context, stream, twin),
  }
}

async function checkJoined(
  context: CheckContext,
  stream: MethodDescriptor,
  twin: MethodDescriptor,
): Promise<void> {
  const { first } = context.samples(stream)
  const { result, isSteady } = await steadyResult(context, twin, first)
  const pieces = (await streamForPieces(context, stream, first)) as TextChunk[]
  const again = (await streamForPieces(context, stream, first)) as TextChunk[]
  const text = joined(pieces)
  // A model that never says the same thing twice can't be compared.
  if (!isSteady) return context.note(notSteady(twin))
  if (!isDeepStrictEqual(text, joined(again))) return context.note(notSteady(stream))
  const { text: completion, message } = result as Partial<CompletionResult & ChatResult>
  const whole = message ? textOf(message) : (completion ?? '')
  must(
    text.trim() === whole.trim(),
    `${twin.wire} says ${JSON.stringify(whole)}, the pieces together ${JSON.stringify(text)}`,
  )
}

function joined(pieces: readonly TextChunk[]): string {
  return pieces.map(({ text }) => text).join('')
}
