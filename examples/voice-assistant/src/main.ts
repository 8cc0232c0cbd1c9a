// `npm start`: holds a conversation between two voices. `npm start -- "what is the capital of japan"` asks that instead.
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PluginHost } from '@appfactory/host'
import {
  decodeWav,
  encodeWav,
  type LLMContract,
  type STTContract,
  type TTSContract,
  toMono16,
} from '@appfactory/sdk'
import { type Engines, holdTurn, type Turn } from './assistant.js'
import { drawTurn } from './picture.js'
import { describeTurn, summarise } from './report.js'

const builtInTurns = [
  'hello how are you today',
  'can you tell me a story about a rabbit',
  'the quick brown fox jumps over the lazy dog',
  'please tell me a story about a little bear',
  'turn on the lights in the kitchen',
  'tell me a story about a brave fox',
]

const asked = process.argv.slice(2).join(' ').trim()
const questions = asked === '' ? builtInTurns : [asked]
const outDir = 'out'

await using host = new PluginHost({ pluginsDir: fileURLToPath(new URL('../../plugins', import.meta.url)) })
const engines = await loadEngines(host)
await mkdir(outDir, { recursive: true })
await removeLastConversation()
const turns: Turn[] = []
for (const question of questions) {
  const turn = await holdTurn(engines, question)
  turns.push(turn)
  console.log(describeTurn(turn))
  await save(turn, turns.length)
}
console.log(summarise(turns))
console.log(`The recordings are in ${outDir}/`)

async function loadEngines(host: PluginHost): Promise<Engines> {
  const started = performance.now()
  const [tts, stt, llm] = await Promise.all([
    host.load<TTSContract>('tts_flite'),
    host.load<STTContract>('stt_pocketsphinx'),
    host.load<LLMContract>('llm_llama'),
  ])
  // The first call loads an engine's model; a user should not have to wait for it.
  await Promise.all([tts.synthesize('hello'), llm.complete('hello', { maxTokens: 1 })])
  console.log(`three plugins ready in ${Math.round(performance.now() - started)} ms\n`)
  return { tts, stt, llm }
}

/** Files of a longer conversation would be taken for a part of this one. */
async function removeLastConversation(): Promise<void> {
  const ours = (await readdir(outDir)).filter((file) =>
    /^\d+-(question|answer|timing)\b.*\.(wav|svg)$/.test(file),
  )
  await Promise.all(ours.map((file) => rm(join(outDir, file))))
}

/** Writes `out/1-question.wav`, `out/1-answer.wav` and `out/1-timing.svg`. */
async function save(turn: Turn, number: number): Promise<void> {
  await writeFile(join(outDir, `${number}-timing.svg`), drawTurn(turn))
  await writeFile(join(outDir, `${number}-question.wav`), turn.question)
  await writeFile(join(outDir, `${number}-answer.wav`), inOneFile(turn.answer))
}

/** The sentences of an answer as one WAV file. */
function inOneFile(sentences: readonly Uint8Array[]): Uint8Array {
  const sounds = sentences.map(decodeWav).filter((sound) => sound !== undefined)
  const samples = Int16Array.from(sounds.flatMap((sound) => [...toMono16(sound)]))
  return encodeWav(samples, { sampleRate: sounds[0]?.sampleRate ?? 16_000 })
}
