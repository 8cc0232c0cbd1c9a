// The types that a reader of code sees, with what an editor shows about each member. The schemas in the tables say the same to
// programs; test/types.test-d.ts compares the two.

/** When a word is spoken. */
export interface WordTiming {
  /** The word itself. */
  word: string
  /** Start, in ms from the beginning. */
  startMs: number
  /** End, in ms from the beginning. */
  endMs: number
  /** How sure the engine is, from 0 to 1. */
  confidence?: number | undefined
  /** What else the engine tells. */
  [key: string]: unknown
}

/** What a call used. */
export interface Usage {
  /** Characters of text that were processed. */
  characters?: number | undefined
  /** Audio that was processed, in ms. */
  audioMs?: number | undefined
  /** Tokens of the prompt. */
  promptTokens?: number | undefined
  /** Tokens of the answer. */
  completionTokens?: number | undefined
  /** Tokens of prompt and answer together. */
  totalTokens?: number | undefined
  /** What else the engine counts. */
  [key: string]: unknown
}

/** What any result may have, where the engine knows it. */
export interface ResultExtras {
  /** What the call used. */
  usage?: Usage | undefined
  /** What was ignored or assumed, in words. */
  warnings?: string[] | undefined
  /** Anything else, as the plugin names it. */
  metadata?: Record<string, unknown> | undefined
  /** Other members of the engine's own. */
  [key: string]: unknown
}
