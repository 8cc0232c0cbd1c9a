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
  const model = (await directory.plugins()).find((plugin) => plugin.name === name)
  if (model?.capabilities.includes('audio_input')) return messages
  const listener = await directory.listener()
  if (!listener) return messages
  const result: ChatMessage[] = []
  // One after another: a request may bring many sounds, and others are to be heard too.
  for (const message of messages) result.push(await heardMessage(message, listener, exchange.signal))
  return result
}

async function heardMessage(
  message: ChatMessage,
  listener: PluginHandle<STTContract>,
  signal: AbortSignal,
): Promise<ChatMessage> {
  if (!Array.isArray(message.content)) return message
  const content: ContentPart[] = []
  for (const part of message.content)
    content.push(part.type === 'audio' ? await heardPart(part.audio, listener, signal) : part)
  return { ...message, content }
}

async function heardPart(
  audio: Uint8Array,
  listener: PluginHandle<STTContract>,
  signal: AbortSignal,
): Promise<ContentPart> {
  const { wav } = await recordingOf(audio, signal).catch((error: unknown) => {
    throw audioFailure(error, 'input_audio')
  })
  const { text } = await listener.transcribe(wav, undefined, { signal })
  return { type: 'text', text }
}

function hasSound({ content }: ChatMessage): boolean {
  return Array.isArray(content) && content.some(({ type }) => type === 'audio')
}
