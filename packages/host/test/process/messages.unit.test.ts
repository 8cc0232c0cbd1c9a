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
    expect(messages.pauseMs).toBeUndefined()
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
  ])
  expect(messages.flush()).toEqual([{ level: 'INFO', message: 'last' }])
})

it('a report without end is logged in parts', () => {
  const messages = new Messages()
  const logged = messages.add([
    ...report.split('\n').slice(0, 3),
    ...Array<string>(100).fill('x'.repeat(1000)),
  ])
  expect(logged[0]?.message.length).toBeLessThan(70_000)
  expect(messages.pauseMs).toBeLessThan(500)
})

const traceback = `Traceback (most recent call last):
  File "/plugins/a/main.py", line 3, in <module>
    load()
    ~~~~^^
  File "/plugins/a/main.py", line 2, in load
    raise KeyError("model")
KeyError: 'model'`

const chained = `${traceback}

During handling of the above exception, another exception occurred:

${traceback.replaceAll('Key', 'Value')}`

test.each([
  ['one', traceback],
  ['one of several lines', `${traceback}\n  with a note`],
  ['of an error and its cause', chained],
  ['of a cause that is named', chained.replace(/During.*:/, direct())],
  ['in a thread', `Exception in thread Thread-1 (run):\n${traceback}`],
  ['that nobody gets', `Exception ignored in: <function A.__del__ at 0x7f>\n${traceback}`],
  ['of several errors', `  + Exception Group ${traceback}`.replaceAll('\n', '\n  | ')],
  [
    'of a crash in C',
    'Fatal Python error: Segmentation fault\n\nThread 0x7f (most recent call first):\n  File "a.py"',
  ],
])('a traceback of Python’s is one entry, wherever it is cut: %s', (_, text) => {
  const lines = text.split('\n')
  for (let cut = 0; cut <= lines.length; cut++) {
    const messages = new Messages()
    const parts = [
      ['<6>before', ...lines.slice(0, cut)],
      [...lines.slice(cut), '<6>after'],
    ]
    const logged = parts.flatMap((part) => messages.add(part))
    expect([...logged, ...messages.flush()].map(({ message }) => message)).toEqual(['before', text, 'after'])
  }
})

function direct(): string {
  return 'The above exception was the direct cause of the following exception:'
}

it('a traceback is an error, unless what printed it has marked it', () => {
  const messages = new Messages()
  const marked = traceback.split('\n').map((line) => `<6>${line}`)
  const logged = messages.add([...traceback.split('\n'), ...marked, '<4>KeyError is another line'])
  expect(logged).toEqual([
    { level: 'ERROR', message: traceback },
    { level: 'INFO', message: traceback },
  ])
})

it('lines that begin with white space belong to the line before, also where they come later', () => {
  const messages = new Messages()
  expect(messages.add(['<3>failed'])).toEqual([])
  expect(messages.pauseMs).toBeGreaterThan(50)
  expect(messages.add(['    at once', '<7>  and here'])).toEqual([])
  expect(messages.add(['plain'])).toEqual([{ level: 'ERROR', message: 'failed\n    at once\n  and here' }])
  expect(messages.flush()).toEqual([{ level: 'WARNING', message: 'plain' }])
})

it('an entry without end is logged in parts', () => {
  const messages = new Messages()
  const logged = messages.add(['first', ...Array<string>(200_000).fill(' x')])
  expect(logged.length).toBeGreaterThan(1)
  expect(Math.max(...logged.map(({ message }) => message.length))).toBeLessThan(70_000)
})
