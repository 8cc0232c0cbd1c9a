import type { SpeechPart } from '../audio/speech.js'
import type { Role } from './candidates.js'

/** From one moment to another, in ms. */
export interface Span {
  from: number
  to: number
}

/** When what happened, in ms after you had finished: after the end of your speech, or after Send. */
export interface Times {
  /** How long you spoke; 0: you typed. */
  listened: number
  /** The whole transcript was there. */
  heard?: number
  firstWord?: number
  lastWord?: number
  /** The answer begins to be heard. */
  firstSound?: number
  /** For each sentence: from when its text was given to the voice until all its sound was there. */
  sentences: readonly Span[]
  /** The answer has been heard to its end. */
  quiet?: number
}

/** Why a step failed. */
export interface Trouble {
  role: Role
  plugin: string
  error: unknown
}

/** One exchange. */
export interface Turn {
  id: number
  state: 'listening' | 'hearing' | 'answering' | 'speaking' | 'done' | 'stopped'
  said: string
  answer: string
  /** The name of who answers; undefined: an echo. */
  model: string | undefined
  times: Times
  troubles: readonly Trouble[]
  /** Your speech; empty: you typed, or it is too long ago. */
  question: readonly SpeechPart[]
  /** The spoken answer. */
  speech: readonly SpeechPart[]
}

/** How many turns keep their sound. */
export const keptSounds = 10
/** How many turns are shown, and told to the model. */
export const keptTurns = 50

/** The newest turns, of which only the newest have sound. */
export function withoutOld(turns: readonly Turn[]): Turn[] {
  const kept = turns.slice(-keptTurns)
  return kept.map((turn, index) =>
    index < kept.length - keptSounds && turn.question.length + turn.speech.length > 0
      ? { ...turn, question: [], speech: [] }
      : turn,
  )
}

export interface Message {
  role: 'system' | 'user' | 'assistant'
  content: string
}

/** The conversation as the model gets it. A turn without an answer is left out: the model would answer it now. */
export function messagesOf(instructions: string, past: readonly Turn[], said: string): Message[] {
  const before = past.flatMap(({ said: question, answer }): Message[] =>
    question.trim() === '' || answer.trim() === ''
      ? []
      : [
          { role: 'user', content: question },
          { role: 'assistant', content: answer.trim() },
        ],
  )
  const system: Message[] = instructions.trim() === '' ? [] : [{ role: 'system', content: instructions }]
  return [...system, ...before, { role: 'user', content: said }]
}
