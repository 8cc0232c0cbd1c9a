import { type MethodDescriptor, sniffAudio } from '@appfactory/sdk'
import { RequestError } from '../errors.js'
import { byteNames } from './json-schema.js'

/** How a method is answered: its result as JSON, the bytes in its result, or its pieces as events. */
export type AnswerForm = 'json' | 'bytes' | 'events'

/** What a client names for each form; of those that it likes as much, the first one wins. */
const mediaTypes: readonly (readonly [AnswerForm, readonly string[]])[] = [
  ['json', ['application/json', 'application/*', '*/*']],
  ['events', ['text/event-stream', 'text/*']],
  ['bytes', ['application/octet-stream', 'audio/*']],
]

/** The form that an Accept header asks for. @throws RequestError 406. */
export function answerForm(accept: string | undefined, method: MethodDescriptor): AnswerForm {
  const offers = mediaTypes.filter(([form]) => formsOf(method).includes(form))
  if (accept === undefined || accept.trim() === '') return 'json'
  const likings = likingsIn(accept)
  const ranked = offers.map(([form, types]) => ({ form, liking: likingOf(types, likings) }))
  const best = ranked.reduce((most, each) => (each.liking > most.liking ? each : most))
  if (best.liking > 0) return best.form
  const offered = offers.map(([, [type]]) => type).join(', ')
  throw new RequestError(406, `accept: ${method.wire} answers as ${offered}`, { code: 'not_acceptable' })
}

/** The forms that a method has. */
export function formsOf({ kind, result }: MethodDescriptor): readonly AnswerForm[] {
  const events = kind === 'stream' ? (['events'] as const) : []
  const bytes = byteNames(result).length === 1 ? (['bytes'] as const) : []
  return ['json', ...events, ...bytes]
}

/** How much each type is liked, from 0 to 1, as `type;q=0.5` says. */
function likingsIn(accept: string): ReadonlyMap<string, number> {
  const parts = accept.toLowerCase().split(',').slice(0, mostTypes)
  return new Map(
    parts.map((part) => {
      const [type = '', ...parameters] = part.split(';').map((each) => each.trim())
      const quality = parameters.find((each) => each.startsWith('q='))
      const liking = Number(quality?.slice(2) ?? 1)
      // Every sound is as good as another: which one comes, the plugin decides.
      return [type.replace(/^audio\/.*/, 'audio/*'), Number.isFinite(liking) ? liking : 1]
    }),
  )
}

/** Types that are looked at: more are no honest list. */
const mostTypes = 32

/** The type that says most decides. */
function likingOf(types: readonly string[], likings: ReadonlyMap<string, number>): number {
  const named = types.find((type) => likings.has(type))
  return named === undefined ? 0 : (likings.get(named) ?? 0)
}

const audioTypes: Readonly<Record<string, string>> = {
  wav: 'audio/wav',
  mp3: 'audio/mpeg',
  ogg: 'audio/ogg',
  opus: 'audio/ogg',
  flac: 'audio/flac',
  aac: 'audio/aac',
  pcm_s16le: 'audio/pcm',
}

/** The bytes in a result, and their type, as far as it or they tell. @throws RequestError 406 where it has none. */
export function bytesOf(result: unknown): { bytes: Buffer; type: string } {
  const members = typeof result === 'object' && result !== null ? Object.entries(result) : []
  const [, text] = members.find(([name]) => name.endsWith('_b64')) ?? []
  if (typeof text !== 'string')
    throw new RequestError(406, 'accept: the result has no bytes. Ask for application/json', {
      code: 'not_acceptable',
    })
  const bytes = Buffer.from(text, 'base64')
  const [, told] = members.find(([name]) => name === 'format') ?? []
  return { bytes, type: mediaTypeOf(typeof told === 'string' ? told : sniffAudio(bytes)?.format) }
}

/** The type of sound of a format; of bytes that are no sound, none in particular. */
export function mediaTypeOf(format: string | undefined): string {
  return audioTypes[format ?? ''] ?? 'application/octet-stream'
}
