import type { Segment } from './contract.js'

export interface SegmentSettings {
  frameMs: number
  /** What is shorter is a click, not speech. */
  minSpeechMs: number
  /** What is shorter is a pause between words, not the end of speech. */
  minSilenceMs: number
}

/** Joins frames to stretches of speech, each as soon as it is certain to be over. */
export function* segmentsOf(
  frames: Iterable<boolean>,
  { frameMs, minSpeechMs, minSilenceMs }: SegmentSettings,
): Generator<Segment, void, undefined> {
  let current: Segment | undefined
  let now = 0
  for (const speaks of frames) {
    now += frameMs
    if (speaks) {
      current = { startMs: current?.startMs ?? now - frameMs, endMs: now }
    } else if (current && now - current.endMs >= minSilenceMs) {
      if (isSpeech(current)) yield current
      current = undefined
    }
  }
  if (current && isSpeech(current)) yield current

  function isSpeech({ startMs, endMs }: Segment): boolean {
    return endMs - startMs >= minSpeechMs
  }
}
