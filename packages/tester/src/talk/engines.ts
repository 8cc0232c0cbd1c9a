import { type CallOptions, call } from '../api/rpc.js'
import type { Plugin } from '../api/types.js'
import type { SpeechPart } from '../audio/speech.js'
import { toBase64 } from '../form/clips.js'
import { partOf } from '../invoke/run.js'
import type { Tap } from './tap.js'
import type { Message } from './turn.js'

/** A plugin, and what of it was chosen; '': its own default. */
export interface Engine {
  plugin: Plugin
  option: string
}

/** Whether it understands speech while it is spoken. */
export function hearsInPieces({ capabilities }: Plugin): boolean {
  return ['start_stream', 'feed_audio', 'end_stream'].every((method) => capabilities.includes(method))
}

/** Understands a recording. */
export async function transcribe(
  { plugin, option }: Engine,
  wav: Uint8Array,
  signal: AbortSignal,
): Promise<string> {
  const args = { audio_b64: toBase64(wav), ...given('language', option) }
  return textIn(await callPlugin(plugin, 'transcribe', args, { signal }))
}

/**
 * Understands speech while it is spoken: until the tap is closed.
 *
 * @param tell Is given the text so far.
 */
export async function transcribeLive(
  { plugin, option }: Engine,
  { sampleRate, pieces }: Tap,
  tell: (text: string) => void,
  signal: AbortSignal,
): Promise<string> {
  const begun = await callPlugin(
    plugin,
    'start_stream',
    { format: 'pcm_s16le', sample_rate: sampleRate, ...given('language', option) },
    { signal },
  )
  const session = { session_id: member(begun, 'session_id') }
  let isFed = false
  let final = ''
  try {
    for await (const piece of pieces) {
      const heard = await callPlugin(
        plugin,
        'feed_audio',
        { ...session, audio_b64: toBase64(piece) },
        { signal },
      )
      final = member(heard, 'final') || final
      tell(`${final} ${member(heard, 'partial')}`.trim())
    }
    isFed = !signal.aborted
  } finally {
    // Its place is free for others then; the first error is the one to tell.
    if (!isFed) void callPlugin(plugin, 'end_stream', session).catch(() => {})
  }
  signal.throwIfAborted()
  return textIn(await callPlugin(plugin, 'end_stream', session, { signal }))
}

/** Answers a conversation, piece by piece. */
export async function writeAnswer(
  { plugin, option }: Engine,
  messages: readonly Message[],
  tell: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const onPieces = (pieces: unknown[]): void => {
    for (const piece of pieces) tell(textIn(piece))
  }
  await callPlugin(plugin, 'stream_chat', { messages, ...given('model', option) }, { signal, onPieces })
}

/** Speaks one sentence, piece by piece. */
export async function speakSentence(
  { plugin, option }: Engine,
  text: string,
  tell: (part: SpeechPart) => void,
  signal: AbortSignal,
): Promise<void> {
  const onPieces = (pieces: unknown[]): void => {
    for (const piece of pieces) {
      const part = partOf(piece)
      if (part && part.bytes.length > 0) tell(part)
    }
  }
  await callPlugin(plugin, 'synthesize_stream', { text, ...given('voice_id', option) }, { signal, onPieces })
}

/** The choices that a loaded plugin has for a role. */
export async function listOptions(plugin: Plugin, method: string): Promise<{ id: string; label: string }[]> {
  const list = await callPlugin(plugin, method, {})
  if (!Array.isArray(list)) return []
  return list.flatMap((each) => {
    const id = member(each, 'id') || member(each, 'code')
    const name = member(each, 'name')
    const language = member(each, 'language')
    const label = [name || id, language].filter((part) => part !== '').join(' · ')
    return id === '' ? [] : [{ id, label }]
  })
}

function callPlugin(
  plugin: Plugin,
  method: string,
  args: object,
  options: CallOptions = {},
): Promise<unknown> {
  const stream = options.onPieces ? { stream: true } : {}
  return call('plugin/call', { plugin: plugin.name, method, args, ...stream }, options)
}

function given(name: string, value: string): Record<string, string> {
  return value === '' ? {} : { [name]: value }
}

function textIn(answer: unknown): string {
  if (typeof answer === 'string') return answer
  return member(answer, 'text')
}

/** A text that an answer has, or ''. */
function member(answer: unknown, name: string): string {
  const value: unknown = typeof answer === 'object' && answer !== null ? Reflect.get(answer, name) : undefined
  return typeof value === 'string' ? value : ''
}
