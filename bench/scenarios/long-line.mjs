import { LineSplitter } from '../../packages/sdk/dist/wire/lines.js'
import { elapsedMs } from '../measure.mjs'

const mebibyte = 1024 * 1024
const part = Buffer.alloc(8 * 1024, 'x')

/** A very long line that arrives in small parts: twice the line must not take four times the time. */
export const longLine = {
  name: 'long-line',
  title: 'a line of 64 MiB in parts of 8 KiB',
  unit: 'ms',
  base: '32 MiB',
  targets: [{ of: '64 MiB', against: '32 MiB', atMost: 2.2 }],
  open: async () => ({
    measures: {
      '32 MiB': () => elapsedMs(() => splitLine(32 * mebibyte)),
      '64 MiB': () => elapsedMs(() => splitLine(64 * mebibyte)),
    },
    close: async () => {},
  }),
}

function splitLine(bytes) {
  let length = 0
  const splitter = new LineSplitter(
    {
      onLine: (line) => {
        length = line.length
      },
      onOversize: () => {},
    },
    bytes,
  )
  for (let pushed = 0; pushed < bytes; pushed += part.length) splitter.push(part)
  splitter.push(Buffer.from('\n'))
  if (length !== bytes) throw new Error(`The line has ${length} bytes, not ${bytes}`)
}
