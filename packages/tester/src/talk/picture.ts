import { duration } from '../parts/format.js'
import type { Times } from './turn.js'

const rowHeight = 30
const barHeight = 20
const labelWidth = 52
const rightEdge = 8
/** Of the figures below the rows. */
const lineHeight = 15
const characterWidth = 6.7

export interface Bar {
  kind: 'listen' | 'hear' | 'write' | 'speak' | 'speak-next'
  x: number
  y: number
  width: number
  height: number
}

/** A moment: a line down through the rows, and its figure below them. */
export interface Mark {
  x: number
  textX: number
  textY: number
  text: string
}

export interface Picture {
  width: number
  height: number
  rows: readonly { text: string; y: number }[]
  bars: readonly Bar[]
  marks: readonly Mark[]
}

/** Draws a turn on a time axis, `width` pixels wide; undefined while nothing has happened. Zero is the end of your speech. */
export function drawTimes(times: Times, width: number): Picture | undefined {
  const { listened, heard = 0, firstWord, lastWord, sentences } = times
  const moments = momentsOf(times)
  const end = Math.max(heard, ...moments.map(({ at }) => at), ...sentences.map(({ to }) => to))
  if (end <= 0) return undefined
  // A long speech would leave no room for the answer.
  const start = -Math.min(listened, end)
  const x = (at: number): number =>
    labelWidth + ((at - start) / (end - start)) * (width - labelWidth - rightEdge)
  const rows = [
    {
      text: 'listens',
      bars: [bar('listen', x(start), x(0)), bar('hear', x(0), x(heard))],
      isShown: listened > 0,
    },
    {
      text: 'writes',
      bars: firstWord === undefined ? [] : [bar('write', x(firstWord), x(lastWord ?? end))],
      isShown: firstWord !== undefined,
    },
    {
      text: 'speaks',
      bars: sentences.map(({ from, to }, index) => bar(index % 2 ? 'speak-next' : 'speak', x(from), x(to))),
      isShown: sentences.length > 0,
    },
  ].filter(({ isShown }) => isShown)
  const bottom = rows.length * rowHeight
  const marks = placeMarks(
    moments.map(({ at, name }) => ({ x: x(at), text: `${name} ${duration(at)}` })),
    width,
    bottom,
  )
  return {
    width,
    height: Math.max(bottom, ...marks.map(({ textY }) => textY + 4)),
    rows: rows.map(({ text }, index) => ({ text, y: index * rowHeight + barHeight })),
    bars: rows.flatMap(({ bars }, index) =>
      bars.map((each) => ({ ...each, y: index * rowHeight + (rowHeight - barHeight) / 2 })),
    ),
    marks,
  }
}

/** The moments that matter to somebody who waits, in ms. */
export function momentsOf({
  firstWord,
  firstSound,
  lastWord,
  sentences,
}: Times): { name: string; at: number }[] {
  const moments = [
    { name: 'first word', at: firstWord },
    { name: 'first sound', at: firstSound },
    { name: 'last word', at: lastWord },
    { name: 'last sound', at: sentences.at(-1)?.to },
  ]
  return moments.flatMap(({ name, at }) => (at === undefined ? [] : [{ name, at }]))
}

function bar(kind: Bar['kind'], from: number, to: number): Bar {
  return { kind, x: from, y: 0, width: Math.max(2, to - from - 1), height: barHeight }
}

/** Puts each figure into the first line where it covers no other one, and not outside of the picture. */
function placeMarks(moments: readonly { x: number; text: string }[], width: number, bottom: number): Mark[] {
  const lineEnds: number[] = []
  return [...moments]
    .sort((one, other) => one.x - other.x)
    .map(({ x, text }) => {
      const textWidth = text.length * characterWidth
      const from = Math.max(0, Math.min(x - textWidth / 2, width - textWidth))
      const free = lineEnds.findIndex((lineEnd) => lineEnd < from)
      const line = free === -1 ? lineEnds.length : free
      lineEnds[line] = from + textWidth + characterWidth
      return { x, textX: from + textWidth / 2, textY: bottom + (line + 1) * lineHeight, text }
    })
}
