import type { TranscriptionResult } from '@appfactory/sdk'

/** A part of a transcript, with its times in seconds. */
export interface Cue {
  text: string
  start: number
  end: number
}

/** The segments of a transcript; one over all of it where the plugin tells no times. */
export function cuesOf({ text, segments = [] }: TranscriptionResult, seconds: number): Cue[] {
  if (segments.length === 0) return text === '' ? [] : [{ text, start: 0, end: seconds }]
  return segments.map(({ text: part, startMs, endMs }) => ({
    text: part,
    start: startMs / 1000,
    end: endMs / 1000,
  }))
}

/** SubRip. */
export function srtOf(cues: readonly Cue[]): string {
  return cues
    .map(({ text, start, end }, index) => `${index + 1}\n${times(start, end, ',')}\n${line(text)}\n\n`)
    .join('')
}

/** WebVTT. */
export function vttOf(cues: readonly Cue[]): string {
  return `WEBVTT\n\n${cues.map(({ text, start, end }) => `${times(start, end, '.')}\n${line(text)}\n\n`).join('')}`
}

function times(start: number, end: number, point: string): string {
  return `${time(start, point)} --> ${time(end, point)}`
}

function time(seconds: number, point: string): string {
  const ms = Math.max(0, Math.round(seconds * 1000))
  const part = (value: number, digits: number): string => String(value).padStart(digits, '0')
  const [hours, minutes] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60]
  const clock = [part(hours, 2), part(minutes, 2), part(Math.floor(ms / 1000) % 60, 2)].join(':')
  return `${clock}${point}${part(ms % 1000, 3)}`
}

/** An empty line would end the cue, and an arrow begin another. */
function line(text: string): string {
  return text
    .trim()
    .replace(/\s*\n\s*/g, '\n')
    .replaceAll('-->', '->')
}
