import type { PluginHandle } from '@appfactory/host'
import type { ChatMessage, ContentPart, LLMContract, STTContract } from '@appfactory/sdk'
import { audioFailure } from '../audio/failure.js'
import { recordingOf } from '../audio/recording.js'
import type { Exchange } from '../exchange.js'
import type { Target } from '../models.js'

/** Messages with text in place of sound, where `hear` is on and the model takes no sound. @throws RequestError 400. */
export async function heardMessages(
  exchange: Exchange,
  { handle: { name } }: Target<LLMContract>,
  messages: ChatMessage[],
): Promise<ChatMessage[]> {
  const { directory, settings } = exchange
  if (!settings.hear || !messages.some(hasSound)) return messages
  if ((await directory.capabilitiesOf(name)).includes('audio_input')) return messages
  const listener = await directory.listener()
  if (!listener) return messages
  const result: ChatMessage[] = []
  // One after another: a request may bring many sounds, and others are to be heard too.
  for (const message of messages) result.push(await heardMessage(message, listener, exchange))
  return result
}

async function heardMessage(
  message: ChatMessage,
  listener: PluginHandle<STTContract>,
  exchange: Exchange,
): Promise<ChatMessage> {
  if (!Array.isArray(message.content)) return message
  const content: ContentPart[] = []
  for (const part of message.content)
    content.push(part.type === 'audio' ? await heardPart(part.audio, listener, exchange) : part)
  return { ...message, content }
}

async function heardPart(
  audio: Uint8Array,
  listener: PluginHandle<STTContract>,
  exchange: Exchange,
): Promise<ContentPart> {
  const { directory, signal } = exchange
  const capabilities = (): Promise<readonly string[]> => directory.capabilitiesOf(listener.name)
  const recording = await recordingOf(audio, capabilities, exchange).catch((error: unknown) => {
    throw audioFailure(error, 'input_audio')
  })
  const { format } = recording
  const options = { signal, ...(format === undefined ? {} : { format }) }
  const { text } = await listener.transcribe(recording.audio, undefined, options)
  return { type: 'text', text }
}

function hasSound({ content }: ChatMessage): boolean {
  return Array.isArray(content) && content.some(({ type }) => type === 'audio')
}
