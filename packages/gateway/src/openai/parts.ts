import type { ChatMessage, ContentPart } from '@appfactory/sdk'
import { bytesOfBase64 } from '../base64.js'
import { unsupported, wrongMember } from '../errors.js'

/** A part of a message, as a table has let it through. */
export interface GivenPart {
  type: string
}

/** What a message holds, as the contract has it: plain text where that is all. @throws RequestError 400 with the place. */
export function contentOf(
  given: string | readonly GivenPart[],
  path: string,
): NonNullable<ChatMessage['content']> {
  if (typeof given === 'string') return given
  const parts = given.flatMap((part, index) => partOf(part, `${path}[${index}]`))
  const texts = parts.flatMap((part) => (part.type === 'text' ? [part.text] : []))
  return texts.length === parts.length ? texts.join('') : parts
}

/** Parts as chat has them, and as responses do: some clients mix them. A refusal is dropped, as no contract has it. */
function partOf(part: GivenPart, path: string): ContentPart[] {
  switch (part.type) {
    case 'text':
    case 'input_text':
    case 'output_text':
      return [{ type: 'text', text: textIn(part, 'text', path) }]
    case 'refusal':
      return []
    case 'image_url':
      return [
        imageOf(
          textIn(memberOf(part, 'image_url', path), 'url', `${path}.image_url`),
          `${path}.image_url.url`,
        ),
      ]
    case 'input_image':
      if (Reflect.get(part, 'file_id')) throw unsupported(`${path}.file_id`, 'files are not kept here')
      return [imageOf(textIn(part, 'image_url', path), `${path}.image_url`)]
    case 'input_audio': {
      const audio = memberOf(part, 'input_audio', path)
      const inside = `${path}.input_audio`
      return [
        {
          type: 'audio',
          audio: bytesOf(textIn(audio, 'data', inside), `${inside}.data`),
          format: textIn(audio, 'format', inside),
        },
      ]
    }
    case 'file':
    case 'input_file':
      throw unsupported(path, 'files are not taken')
    default:
      throw wrongMember(`${path}.type`, 'must be the type of a text, a refusal, an image or audio')
  }
}

/** Only bytes: a gateway fetches nothing, or it could be sent to addresses inside a network. */
function imageOf(url: string, path: string): ContentPart {
  const [, mediaType, data] = /^data:([\w.+-]+\/[\w.+-]+);base64,(.*)$/s.exec(url) ?? []
  if (mediaType === undefined || data === undefined)
    throw unsupported(path, 'must be a data: URL in base64; the gateway fetches nothing')
  return { type: 'image', image: bytesOf(data, path), mediaType }
}

function bytesOf(base64: string, path: string): Uint8Array {
  if (base64 === '') throw wrongMember(path, 'must not be empty')
  return bytesOfBase64(base64, path)
}

function memberOf(part: object, name: string, path: string): object {
  const value: unknown = Reflect.get(part, name)
  if (typeof value !== 'object' || value === null) throw wrongMember(`${path}.${name}`, 'must be an object')
  return value
}

function textIn(part: object, name: string, path: string): string {
  const value: unknown = Reflect.get(part, name)
  if (typeof value !== 'string') throw wrongMember(`${path}.${name}`, 'must be a string')
  return value
}
