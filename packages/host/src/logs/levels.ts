/** Levels of the command line and the log files, most verbose first. */
export const logLevels = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const

/** How much a line of a log matters; a level includes those after it. */
export type LogLevel = (typeof logLevels)[number]
