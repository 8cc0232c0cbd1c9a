import type { PluginHandle } from '@appfactory/host'
import { encodeWav, type STTContract, type TranscriptionOptions } from '@appfactory/sdk'
import { hearingRate } from '../audio/jobs.js'
import { joinBytes } from '../audio/samples.js'
import type { TranscribeRequest } from './events.table.js'
import { closestLanguage } from './language.js'
import { listensMeanwhile } from './programs.js'
import { hearable, type SoundChunk, startingWith } from './sound.js'
import type { Talk } from './talk.js'

/** Sends what is said in a sound: `transcript`, between the events of a stream where the plugin listens meanwhile. */
export async function transcribeSound(
  talk: Talk,
  request: TranscribeRequest,
  chunks: AsyncIterable<SoundChunk>,
): Promise<void> {
  const { plugin, languages } = await talk.programs.find('stt', [request.name, talk.selected])
  const { handle } = await talk.directory.stt.find(plugin.name)
  const codes = languages.map(({ code }) => code)
  const language = request.language && (closestLanguage(request.language, codes) ?? request.language)
  const sound = hearable(chunks, talk.signal)
  const { done, value: first } = await sound.next()
  // Somebody who has said nothing has made no mistake.
  if (done) return talk.send('transcript', { text: '' })
  const all = startingWith(first, sound)
  if (!listensMeanwhile(plugin)) return sendTranscript(talk, handle, request, language, all)
  const live = { ...optionsOf(talk, request), format: 'pcm_s16le', sampleRate: hearingRate }
  await sendUpdates(talk, handle.transcribeStream(all, language ? { ...live, language } : live), language)
}

function optionsOf({ signal }: Talk, request: TranscribeRequest): TranscriptionOptions {
  const words = [...(request.transcriptNames ?? []), ...(request.transcriptTerms ?? [])]
  return { signal, ...(words.length === 0 ? {} : { prompt: words.join(', ') }) }
}

async function sendTranscript(
  talk: Talk,
  handle: PluginHandle<STTContract>,
  request: TranscribeRequest,
  language: string | undefined,
  sound: AsyncIterable<Uint8Array>,
): Promise<void> {
  const parts: Uint8Array[] = []
  for await (const part of sound) parts.push(part)
  const wav = encodeWav(new Int16Array(joinBytes(parts).buffer), { sampleRate: hearingRate })
  const { text, language: heard = language } = await handle.transcribe(
    wav,
    language,
    optionsOf(talk, request),
  )
  await talk.send('transcript', { text, ...(heard ? { language: heard } : {}) })
}

async function sendUpdates(
  talk: Talk,
  updates: AsyncIterable<{ final: string | null }>,
  language: string | undefined,
): Promise<void> {
  const about = language ? { language } : {}
  let text = ''
  let hasBegun = false
  for await (const { final } of updates) {
    if (final === null || final === text) continue
    if (!hasBegun) await talk.send('transcript-start', about)
    hasBegun = true
    // A plugin that changes its mind is believed at the end, in `transcript`.
    if (final.startsWith(text)) await talk.send('transcript-chunk', { text: final.slice(text.length) })
    text = final
  }
  if (!hasBegun) await talk.send('transcript-start', about)
  await talk.send('transcript', { text, ...about })
  await talk.send('transcript-stop')
}
