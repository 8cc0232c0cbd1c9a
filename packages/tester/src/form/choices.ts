import { createContext } from 'preact'

/** One of the values that a plugin says it takes. */
export interface Choice {
  value: string
  /** What it is called, where that is something else. */
  label: string | undefined
}

/** Asks a plugin for the values that a field may have; undefined: it has no method for that. */
export type ChoicesOf = (field: string) => (() => Promise<readonly Choice[]>) | undefined

/** Who knows the choices of the fields of a form. */
export const Choices = createContext<ChoicesOf>(() => undefined)
