import { expect, test } from 'vitest'
import { brokenAnswerId, whyBroken } from '../../src/wire/broken-answer.js'

test.each([
  ['{"jsonrpc":"2.0","id":7,"result":NaN}', 7],
  ['{"jsonrpc": "2.0", "id": "a:1", "result": [NaN]}', 'a:1'],
  ['{"id":7,"jsonrpc":"2.0","result":Infinity}', 7],
  ['{"result": {"id": 3, "x": NaN}, "id": 7}', 7],
  ['{"jsonrpc":"2.0","result":NaN,"id":"a:1"}', 'a:1'],
  ['{"result":NaN,"id":7,"jsonrpc":"2.0"}', 7],
  ['{"jsonrpc":"2.0","method":"$/stream","params":{"id":7,"seq":0,"value":NaN}}', 7],
  [`{"jsonrpc":"2.0","id":7,"result":"${'x'.repeat(100_000)}`, 7],
])('a line that is no JSON is about the call of its id: %.60s', (line, id) => {
  expect(brokenAnswerId(line)).toBe(id)
})

test.each([
  ['printed text', 'about "id":7, see below'],
  ['an id in the data', '{"jsonrpc":"2.0","result":{"id":7,"x":NaN}}'],
  ['an id of an item', '[{"id":7}, NaN]'],
  ['an id that is none', '{"jsonrpc":"2.0","id":NaN,"result":1}'],
  ['nothing', ''],
])('%s is about no call', (_, line) => {
  expect(brokenAnswerId(line)).toBeUndefined()
})

test('a line of many commas and spaces takes no time', () => {
  expect(brokenAnswerId(`{${', '.repeat(1_000_000)}`)).toBeUndefined()
})

test('why it can’t be read names the numbers that JSON lacks', () => {
  expect(whyBroken('{"id":7,"result":[1, NaN]}')).toMatch(/NaN/)
  expect(whyBroken('{"id":7,"result":{"a":-Infinity}}')).toMatch(/NaN/)
  expect(whyBroken('{"id":7,"result":"NaN", }')).not.toMatch(/NaN/)
  expect(whyBroken(Buffer.from([0xff]))).toMatch(/UTF-8/)
})
