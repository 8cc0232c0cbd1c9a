/** A type, not an interface: only a type fits results, which may have further keys. */
export type Word = {
  word: string
  startMs: number
  endMs: number
}

export interface Transcript {
  text: string
  words: Word[]
}

/** What the plugin asks of a recogniser's thread. Each request gets one answer, in order. */
export type WorkerRequest =
  /** 16-bit mono samples; answered with what has been understood so far. */
  | { kind: 'push'; samples: Int16Array; sampleRate: number }
  /** The end of the audio; answered with the transcript. The next push begins another one. */
  | { kind: 'end' }

export type WorkerAnswer =
  | { kind: 'partial'; text: string }
  | { kind: 'transcript'; transcript: Transcript }
  | { kind: 'failure'; message: string }
