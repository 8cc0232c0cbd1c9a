import type { Turn } from './assistant.js'

const width = 860
const left = 90
const rowHeight = 46

/** A turn on a time axis, as an SVG: what was heard, written and spoken when. Zero is the final transcript. */
export function drawTurn({ heard, reply, heardMs, firstTextMs, textDoneMs, audioMs }: Turn): string {
  const end = Math.max(textDoneMs, ...audioMs)
  const start = -Math.min(heardMs, end)
  const x = (ms: number): number => left + ((ms - start) / (end - start)) * (width - left - 20)
  const spoken = audioMs.map((ms, index) =>
    bar(2, x(audioMs[index - 1] ?? Math.min(firstTextMs, ms)), x(ms), `speak s${index % 2}`),
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${rowHeight * 3 + 56}" font-family="system-ui, sans-serif" font-size="13">`,
    `<style>text{fill:#333}.quiet{fill:#777;font-size:11px}.bar{rx:4px}.hear{fill:#8ecae6}.write{fill:#ffb703}.speak{fill:#2a9d8f}.s1{opacity:.7}line{stroke:#999}`,
    `@media (prefers-color-scheme:dark){text{fill:#ddd}.quiet{fill:#aaa}}</style>`,
    ...[label(0, 'listens'), label(1, 'writes'), label(2, 'speaks')],
    ...[bar(0, x(start), x(0), 'hear'), bar(1, x(firstTextMs), x(textDoneMs), 'write'), ...spoken],
    note(0, x(start) + 6, clip(heard)),
    note(1, x(firstTextMs) + 6, clip(reply)),
    ...[
      tick(x(0), '0'),
      tick(x(audioMs[0] ?? 0), `first sound ${Math.round(audioMs[0] ?? 0)} ms`, 14),
      tick(x(textDoneMs), `last word ${Math.round(textDoneMs)} ms`),
    ],
    `</svg>\n`,
  ].join('\n')
}

function bar(row: number, from: number, to: number, kind: string): string {
  return `<rect class="bar ${kind}" x="${from.toFixed(1)}" y="${row * rowHeight + 10}" width="${Math.max(2, to - from - 1).toFixed(1)}" height="28"/>`
}

function label(row: number, text: string): string {
  return `<text x="10" y="${row * rowHeight + 29}">${text}</text>`
}

function note(row: number, x: number, text: string): string {
  return `<text style="fill:#222" font-size="11" x="${x.toFixed(1)}" y="${row * rowHeight + 28}">${text}</text>`
}

function tick(x: number, text: string, lower = 0): string {
  const bottom = rowHeight * 3 + 8
  return `<line x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="4" y2="${bottom + lower}" stroke-dasharray="3 3"/><text class="quiet" text-anchor="middle" x="${x.toFixed(1)}" y="${bottom + 14 + lower}">${text}</text>`
}

function clip(text: string): string {
  const short = text.length > 48 ? `${text.slice(0, 48)}…` : text
  return short.replace(/[&<>]/g, (mark) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[mark] ?? mark)
}
