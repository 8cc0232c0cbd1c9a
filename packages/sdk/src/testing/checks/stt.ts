import { isDeepStrictEqual } from 'node:util'
import type { TranscriptionResult, TranscriptUpdate } from '../../contracts/stt.types.js'
import type { ContractDescriptor, MethodDescriptor } from '../../descriptor.js'
import { isPluginError } from '../../errors.js'
import { type Check, type CheckContext, must } from '../check.js'
import { callForResult, errorText, streamForPieces, tryCall } from './calls.js'
import { methodOf } from './find-method.js'
import { listCheck } from './list.js'
import { argumentsCheck, methodChecks, notSteady } from './method.js'
import { sessionChecks } from './session.js'
import { steadyResult, streamChecks } from './stream.js'

export function sttChecks(contract: ContractDescriptor): Check[] {
  const transcribe = methodOf(contract, 'transcribe')
  const languages = methodOf(contract, 'get_languages')
  const stream = methodOf(contract, 'transcribe_stream')
  const sessionMethods = ['start_stream', 'feed_audio', 'end_stream'].map((wire) => methodOf(contract, wire))
  return [
    ...methodChecks('stt', transcribe),
    ...methodChecks('stt', languages),
    listCheck('stt', languages, 'code'),
    {
      id: 'stt.transcribe.language',
      title:
        'transcribe takes the languages that get_languages lists, and refuses others with STT_LANGUAGE_NOT_SUPPORTED',
      after: ['stt.transcribe.result', 'stt.get_languages.result'],
      run: (context) => checkLanguages(context, transcribe, languages),
    },
    ...sessionMethods.map((method) => argumentsCheck('stt', method)),
    ...sessionChecks(contract),
    ...methodChecks('stt', stream),
    ...streamChecks('stt', stream),
    {
      id: 'stt.transcribe_stream.joined',
      requires: 'transcribe_stream',
      title: 'The last `final` of transcribe_stream is the text of its one answer',
      after: ['stt.transcribe_stream.pieces'],
      run: (context) => checkJoined(context, stream),
    },
  ]
}

async function checkLanguages(
  context: CheckContext,
  transcribe: MethodDescriptor,
  list: MethodDescriptor,
): Promise<void> {
  const { first } = context.samples(transcribe)
  const [language] = (await callForResult(context, list, {})) as { code: string }[]
  if (!language) context.note('not tried: get_languages lists none')
  if (language) await callForResult(context, transcribe, { ...first, language: language.code })
  const { error } = await tryCall(context, transcribe, { ...first, language: 'zz-ZZ' })
  // An engine that finds out the language by itself may take any.
  if (error === undefined) context.note('not refused: transcribe takes the unknown language zz-ZZ')
  must(
    error === undefined || (isPluginError(error) && error.codeName === 'STT_LANGUAGE_NOT_SUPPORTED'),
    `an unknown language gave ${errorText(error)}, not STT_LANGUAGE_NOT_SUPPORTED`,
  )
}

async function checkJoined(context: CheckContext, stream: MethodDescriptor): Promise<void> {
  const { first } = context.samples(stream)
  const finals = await finalsOf(context, stream)
  const isSteady = isDeepStrictEqual(finals.at(-1), (await finalsOf(context, stream)).at(-1))
  for (const [index, final] of finals.entries()) {
    const before = finals[index - 1] ?? ''
    must(
      final.startsWith(before),
      `\`final\` went from ${JSON.stringify(before)} to ${JSON.stringify(final)}: it must not change any more`,
    )
  }
  const whole = await steadyResult(context, stream, first)
  if (!isSteady || !whole.isSteady) return context.note(notSteady(stream))
  const { text } = whole.result as TranscriptionResult
  must(
    (finals.at(-1) ?? '') === text,
    `the last \`final\` is ${JSON.stringify(finals.at(-1))}, the one answer ${JSON.stringify(text)}`,
  )
}

async function finalsOf(context: CheckContext, stream: MethodDescriptor): Promise<string[]> {
  const updates = (await streamForPieces(
    context,
    stream,
    context.samples(stream).first,
  )) as TranscriptUpdate[]
  return updates.flatMap(({ final }) => (final === null ? [] : [final]))
}
