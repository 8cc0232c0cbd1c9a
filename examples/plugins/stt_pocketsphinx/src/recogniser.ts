import { loadRecognizer, type NativeRecognizer, type PocketSphinx } from './pocketsphinx.js'
import type { Transcript, Word } from './protocol.js'
import { concatenate, Resampler } from './resampler.js'

const engineRate = 16_000
const blockLength = engineRate / 10
const silence = new Int16Array()

/** Long audio is taken in utterances: the decoder's memory is full after half a minute of one. */
const utteranceBlocks = { worthCutting: 80, longest: 200 }
/** Blocks of quiet that make a pause between words. */
const pauseBlocks = 3

/** Listens to one stream of audio after the other. Synchronous: it belongs in a thread of its own. */
export class Recogniser {
  readonly #sphinx: PocketSphinx
  readonly #recognizer: NativeRecognizer
  readonly #block: InstanceType<PocketSphinx['AudioBuffer']>
  #resampler: Resampler | undefined
  /** Samples that do not fill a block yet. */
  #pending = silence
  /** Words of the utterances that are over. */
  #words: Word[] = []
  #utterance: Utterance | undefined
  #samplesTaken = 0

  private constructor(sphinx: PocketSphinx, recognizer: NativeRecognizer) {
    this.#sphinx = sphinx
    this.#recognizer = recognizer
    // Kept, since making a vector takes longer than filling it.
    this.#block = vectorOf(sphinx, new Int16Array(blockLength))
  }

  static async load(): Promise<Recogniser> {
    const { sphinx, recognizer } = await loadRecognizer()
    return new Recogniser(sphinx, recognizer)
  }

  /** Takes mono samples; returns all that has been understood so far. */
  push(samples: Int16Array, sampleRate: number): string {
    this.#resampler ??= new Resampler(sampleRate, engineRate)
    this.#take(this.#resampler.push(samples))
    return textOf([
      ...wordsIn(this.#words),
      ...(this.#utterance ? plainWords(this.#recognizer.getHyp()) : []),
    ])
  }

  /** Ends the stream; the next push begins another. */
  end(): Transcript {
    if (this.#resampler) this.#take(this.#resampler.end())
    if (this.#pending.length > 0) this.#listen(this.#pending)
    this.#endUtterance()
    const words = this.#words
    this.#resampler = undefined
    this.#pending = silence
    this.#words = []
    this.#samplesTaken = 0
    return { text: textOf(wordsIn(words)), words }
  }

  #take(samples: Int16Array): void {
    const all = concatenate(this.#pending, samples)
    let start = 0
    for (; start + blockLength <= all.length; start += blockLength) {
      this.#listen(all.subarray(start, start + blockLength))
    }
    this.#pending = all.slice(start)
  }

  #listen(block: Int16Array): void {
    this.#utterance ??= this.#startUtterance()
    const vector = this.#vectorFor(block)
    this.#recognizer.process(vector)
    if (vector !== this.#block) vector.delete()
    this.#samplesTaken += block.length
    if (this.#utterance.isOverAfter(block)) this.#endUtterance()
  }

  #vectorFor(block: Int16Array): InstanceType<PocketSphinx['AudioBuffer']> {
    if (block.length !== blockLength) return vectorOf(this.#sphinx, block)
    for (const [index, sample] of block.entries()) this.#block.set(index, sample)
    return this.#block
  }

  #startUtterance(): Utterance {
    if (this.#recognizer.start() !== this.#sphinx.ReturnType.SUCCESS) {
      throw new Error('PocketSphinx can’t start an utterance')
    }
    return new Utterance((this.#samplesTaken * 1000) / engineRate)
  }

  #endUtterance(): void {
    if (!this.#utterance) return
    this.#recognizer.stop()
    const segments = new this.#sphinx.Segmentation()
    this.#recognizer.getHypseg(segments)
    const frameMs = 10
    for (let index = 0; index < segments.size(); index++) {
      const { word, start, end } = segments.get(index)
      const [plain] = plainWords(word)
      if (plain === undefined) continue
      this.#words.push({
        word: plain,
        startMs: Math.round(this.#utterance.startMs + start * frameMs),
        endMs: Math.round(this.#utterance.startMs + (end + 1) * frameMs),
      })
    }
    segments.delete()
    this.#utterance = undefined
  }
}

/** Tells where an utterance may be cut: in a pause, or, where nobody pauses, before the decoder's memory is full. */
class Utterance {
  readonly startMs: number
  #blocks = 0
  #quietBlocks = 0
  #loudest = 0

  constructor(startMs: number) {
    this.startMs = startMs
  }

  isOverAfter(block: Int16Array): boolean {
    const loudness = Math.sqrt(block.reduce((sum, sample) => sum + sample * sample, 0) / block.length)
    this.#loudest = Math.max(this.#loudest, loudness)
    this.#blocks += 1
    this.#quietBlocks = loudness < this.#loudest / 10 ? this.#quietBlocks + 1 : 0
    const pauses = this.#quietBlocks >= pauseBlocks
    return this.#blocks >= utteranceBlocks.longest || (pauses && this.#blocks >= utteranceBlocks.worthCutting)
  }
}

/** The words of `text` without what is no word: `<s>`, `<sil>`, `[NOISE]`, `++UM++`, and the `(2)` of a pronunciation. */
export function plainWords(text: string): string[] {
  return text
    .split(/\s+/)
    .filter((word) => word !== '' && !/^[<[+]/.test(word))
    .map((word) => word.replace(/\(\d+\)$/, ''))
}

function wordsIn(words: readonly Word[]): string[] {
  return words.map(({ word }) => word)
}

function textOf(words: readonly string[]): string {
  return words.join(' ')
}

function vectorOf(sphinx: PocketSphinx, samples: Int16Array): InstanceType<PocketSphinx['AudioBuffer']> {
  const vector = new sphinx.AudioBuffer()
  for (const sample of samples) vector.push_back(sample)
  return vector
}
