import type { PluginHandle } from '@appfactory/host'
import { decodeWav, type LLMContract, type STTContract, type TTSContract } from '@appfactory/sdk'

/** The three plugins that an assistant is made of. Any plugins of these contracts will do. */
export interface Engines {
  tts: PluginHandle<TTSContract>
  stt: PluginHandle<STTContract>
  llm: PluginHandle<LLMContract>
  /** The voices of the two who talk; undefined where the plugin lists none. */
  userVoice: string | undefined
  assistantVoice: string | undefined
}

/** One exchange, with its times in ms. */
export interface Turn {
  /** What the user's voice was given to say. */
  said: string
  heard: string
  reply: string
  /** The user's speech, as a WAV file. */
  question: Uint8Array
  /** The spoken reply: a WAV file for each sentence. */
  answer: Uint8Array[]
  /** From the first sound to the final transcript. */
  heardMs: number
  /** From the final transcript to the reply's first word and to its last. */
  firstTextMs: number
  textDoneMs: number
  /** From the final transcript to the sound of each sentence. */
  audioMs: number[]
}

/** How much audio is sent at a time, in ms: as a microphone would. */
const chunkMs = 100

/** Holds one exchange: a voice says `said`, the assistant listens, thinks and speaks at the same time. */
export async function holdTurn(engines: Engines, said: string): Promise<Turn> {
  const { tts, stt, llm, userVoice, assistantVoice } = engines
  const { audio: question } = await tts.synthesize(said, userVoice)
  const listening = performance.now()
  const heard = await listen(stt, question)
  const answering = performance.now()
  const times = { firstText: 0, textDone: 0 }
  let reply = ''

  async function* write(): AsyncGenerator<string> {
    for await (const { text } of llm.streamChat([{ role: 'user', content: heard }], {
      temperature: 0.3,
      seed: 7,
    })) {
      times.firstText ||= performance.now()
      reply += text
      yield text
    }
    times.textDone = performance.now()
  }

  // The voice gets the text while it is being written, and speaks each sentence as soon as it is complete.
  const answer: Uint8Array[] = []
  const audioMs: number[] = []
  for await (const { audio } of tts.synthesizeStream(write(), assistantVoice)) {
    audioMs.push(performance.now() - answering)
    answer.push(audio)
  }
  return {
    said,
    heard,
    reply: reply.trim(),
    question,
    answer,
    heardMs: answering - listening,
    firstTextMs: times.firstText - answering,
    textDoneMs: times.textDone - answering,
    audioMs,
  }
}

async function listen(stt: Engines['stt'], wav: Uint8Array): Promise<string> {
  let heard = ''
  for await (const { final } of stt.transcribeStream(microphone(wav))) {
    if (final !== null) heard = final
  }
  return heard
}

/** A recording, piece by piece. */
async function* microphone(wav: Uint8Array): AsyncGenerator<Uint8Array> {
  const { sampleRate = 16_000 } = decodeWav(wav) ?? {}
  const chunkBytes = (sampleRate * 2 * chunkMs) / 1000
  for (let start = 0; start < wav.length; start += chunkBytes) yield wav.subarray(start, start + chunkBytes)
}
