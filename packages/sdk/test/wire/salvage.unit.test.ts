import { expect, test } from 'vitest'
import { salvage } from '../../src/wire/salvage.js'

const mark = 'n0nce-'
const answer = `{"jsonrpc":"2.0","id":"${mark}1","result":1}`

function behind(noise: string, message = answer, ours = mark) {
  return salvage(Buffer.from(noise + message), ours)
}

test('a message behind something that was printed is found, and the rest is noise', () => {
  expect(behind('loading… ')).toMatchObject({
    ...{ noise: 'loading… ', message: { kind: 'response', response: { id: `${mark}1` } } },
  })
})

test('a line that is only a message, or none, holds none behind noise', () => {
  for (const [noise, message] of [
    ['', answer],
    ['noise', ''],
    ['noise', `${mark}1`],
    ['', ''],
  ] as const)
    expect(behind(noise, message)).toBeUndefined()
})

test('where ids carry no mark, nothing is taken for a message', () => {
  expect(behind('noise', '{"jsonrpc":"2.0","id":"1","result":1}', '')).toBeUndefined()
  expect(behind('noise', '{"jsonrpc":"2.0","id":1,"result":1}', '')).toBeUndefined()
})

test.each([
  ['another id', '{"jsonrpc":"2.0","id":"other-1","result":1}'],
  ['an id that is a number', '{"jsonrpc":"2.0","id":1,"result":1}'],
  ['the mark elsewhere', `{"jsonrpc":"2.0","id":"1","result":"${mark}1"}`],
  ['the mark within its id', `{"jsonrpc":"2.0","id":"x${mark}1","result":1}`],
  ['a request of the other end', `{"jsonrpc":"2.0","id":"${mark}1","method":"x"}`],
  ['a notification about nothing', `{"jsonrpc":"2.0","method":"${mark}"}`],
  ['a batch', `[${answer}]`],
  ['half of it', answer.slice(0, -1)],
])('what only looks like a message, by %s, is noise', (_, message) => {
  expect(behind('noise ', message)).toBeUndefined()
})

test('a piece of a stream, and an answer that is malformed, belong to a request by their id', () => {
  const piece = `{"jsonrpc":"2.0","method":"$/stream","params":{"id":"${mark}1","seq":0}}`
  expect(behind('noise ', piece)?.noise).toBe('noise ')
  expect(behind('noise ', `{"jsonrpc":"2.0","id":"${mark}1","error":5}`)?.noise).toBe('noise ')
})

test('a message that holds the text of another is found by one of the last four beginnings', () => {
  const nested = (depth: number): string =>
    `{"jsonrpc":"2.0","id":"${mark}1","result":["${'{\\"jsonrpc\\" '.repeat(depth)}",{"jsonrpc":"${mark}"}]}`
  expect(behind('noise ', nested(1))?.noise).toBe('noise ')
  const within = (times: number): string =>
    `{"jsonrpc":"2.0","id":"${mark}1","result":[${Array(times).fill(`{"jsonrpc":"${mark}"}`).join(',')}]}`
  expect(behind('noise ', within(3))?.noise).toBe('noise ')
  expect(behind('noise ', within(4))).toBeUndefined()
})
