import { signal } from '@preact/signals'
import type { LogLine } from '../api/types.js'

/** More are of no use to a person. */
const keptLines = 20_000

/** All lines, oldest first. Replaced in place: `logVersion` tells that there are others. */
export const logLines: LogLine[] = []
export const logVersion = signal(0)
/** Lines that came too fast to be sent. */
export const droppedLines = signal(0)
/** The newest line that was cleared; it and those before it do not come back. */
export const clearedSeq = signal(0)

export function addLogs(lines: readonly LogLine[], dropped: number): void {
  // After a reconnect, the recorded lines come again.
  const newest = Math.max(clearedSeq.value, logLines.at(-1)?.seq ?? 0)
  for (const line of lines) if (line.seq > newest) logLines.push(line)
  if (logLines.length > keptLines * 1.1) logLines.splice(0, logLines.length - keptLines)
  if (dropped > 0) droppedLines.value += dropped
  logVersion.value += 1
}

export function clearLogs(): void {
  clearedSeq.value = logLines.at(-1)?.seq ?? clearedSeq.value
  logLines.length = 0
  droppedLines.value = 0
  logVersion.value += 1
}
