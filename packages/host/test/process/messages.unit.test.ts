import { expect, it, test } from 'vitest'
import { Messages } from '../../src/process/messages.js'

const report = `file:///plugins/a/index.js:7
    throw new Error('lost')
          ^

Error: lost
    at A.call (file:///plugins/a/index.js:7:11) {
  code: 'X'
}

Node.js v22.12.0`

test.each([
  ['a path', report.replace('file://', '')],
  ['a path of Windows', report.replace('file:///', 'C:\\')],
  ['Node’s own code', report.replace('file:///plugins/a/index.js', 'node:internal/process/promises')],
])('what Node reports of an error is one entry, wherever it is cut: %s', (_, text) => {
  const lines = text.split('\n')
  for (let cut = 0; cut <= lines.length; cut++) {
    const messages = new Messages()
    const logged = [lines.slice(0, cut), lines.slice(cut)].flatMap((part) => messages.add(part))
    expect(logged).toEqual([{ level: 'ERROR', message: text }])
    expect(messages.isWaiting).toBe(false)
  }
})

it('a process that ends within its report leaves what there is', () => {
  const messages = new Messages()
  const lines = report.split('\n').slice(0, 6)
  expect(messages.add(['<6>before', ...lines])).toEqual([{ level: 'INFO', message: 'before' }])
  expect(messages.flush()).toEqual([{ level: 'ERROR', message: lines.join('\n') }])
  expect(messages.flush()).toEqual([])
})

it('a line that only looks like the beginning of a report is a line', () => {
  const messages = new Messages()
  expect(messages.add(['/var/data:7', '<4>next'])).toEqual([])
  expect(messages.add(['<6>one more', '<6>last'])).toEqual([
    { level: 'WARNING', message: '/var/data:7' },
    { level: 'WARNING', message: 'next' },
    { level: 'INFO', message: 'one more' },
    { level: 'INFO', message: 'last' },
  ])
})

it('a report without end is logged in parts', () => {
  const messages = new Messages()
  const logged = messages.add([
    ...report.split('\n').slice(0, 3),
    ...Array<string>(100).fill('x'.repeat(1000)),
  ])
  expect(logged[0]?.message.length).toBeLessThan(70_000)
  expect(messages.isWaiting).toBe(false)
})
