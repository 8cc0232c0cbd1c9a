import { type AudioChunk, sentencesOf } from '@appfactory/sdk'

/** A stretch of spoken text, and how long its sound is in ms. */
export interface Spoken {
  text: string
  durationMs: number
}

/** Whether there is anything to say: not in punctuation or emoji alone. */
export function canBeSaid(text: string): boolean {
  return /[\p{L}\p{N}]/u.test(text)
}

/** Speaks each sentence as soon as it is written, and notes how long its sound is. */
export async function* sentencesSpoken(
  texts: AsyncIterable<string>,
  speak: (text: string) => AsyncIterable<AudioChunk>,
  spoken: Spoken[] = [],
): AsyncGenerator<AudioChunk> {
  for await (const text of sentencesOf(texts)) {
    if (!canBeSaid(text)) continue
    const sentence = { text, durationMs: 0 }
    spoken.push(sentence)
    for await (const piece of speak(text)) {
      sentence.durationMs += piece.durationMs ?? 0
      yield piece
    }
  }
}
