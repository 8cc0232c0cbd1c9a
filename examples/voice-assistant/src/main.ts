// `npm start`: holds a conversation between two voices. `npm start -- "what is the capital of japan"` asks that instead.
// `--voice NAME` and `--ears NAME` choose the plugins that speak and listen.
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PluginHost } from '@appfactory/host'
import { decodeWav, encodeWav, isPluginError, toMono16 } from '@appfactory/sdk'
import { type Arguments, readArguments } from './arguments.js'
import { type Engines, holdTurn, type Turn } from './assistant.js'
import { loadEngines, warmUp } from './engines.js'
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

const outDir = 'out'

try {
  await converse(readArguments(process.argv.slice(2)))
} catch (error) {
  // What a person can put right: an option, a plugin that is not there, packages that are not installed.
  if (!isPluginError(error) && !(error instanceof TypeError && 'code' in error)) throw error
  console.error(error.message)
  process.exitCode = 1
}

async function converse(options: Arguments): Promise<void> {
  await using host = new PluginHost({ pluginsDir: fileURLToPath(new URL('../../plugins', import.meta.url)) })
  const engines = await readyEngines(host, options)
  await mkdir(outDir, { recursive: true })
  await removeLastConversation()
  const turns: Turn[] = []
  for (const question of options.question === '' ? builtInTurns : [options.question]) {
    const turn = await holdTurn(engines, question)
    turns.push(turn)
    console.log(describeTurn(turn))
    await save(turn, turns.length)
  }
  console.log(summarise(turns))
  console.log(`The recordings are in ${outDir}/`)
}

async function readyEngines(host: PluginHost, options: Arguments): Promise<Engines> {
  const started = performance.now()
  const engines = await loadEngines(host, options)
  await warmUp(engines)
  console.log(`three plugins ready in ${Math.round(performance.now() - started)} ms\n`)
  return engines
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
