export const logFormats = ['json', 'text'] as const

/** How log lines are written: as a JSON object each, or for people. */
export type LogFormat = (typeof logFormats)[number]
