import { expect, it } from 'vitest'
import { likeness, vectorsIn } from '../src/invoke/vectors.js'

it.each([
  ['embeddings', { embeddings: [[1, 2]], model: 'a' }, [[1, 2]]],
  ['another name', { usage: {}, vectors: [[1], [2]] }, [[1], [2]]],
  ['none: no numbers', { embeddings: [['1']] }, []],
  ['none: empty ones', { embeddings: [[]], words: [] }, []],
  ['none: a list', [[1, 2]], []],
  ['none: text', 'x', []],
  ['none: null', null, []],
])('finds vectors: %s', (_, result, vectors) => {
  expect(vectorsIn(result)).toEqual(vectors)
})

it('tells how much vectors are alike, however long they are', () => {
  expect(likeness([1, 0], [3, 0])).toBeCloseTo(1)
  expect(likeness([1, 0], [0, 2])).toBeCloseTo(0)
  expect(likeness([1, 1], [-2, -2])).toBeCloseTo(-1)
  expect(likeness([0, 0], [1, 0])).toBeUndefined()
  expect(likeness([1], [1, 0])).toBeUndefined()
  const long = new Array<number>(500_000).fill(1)
  expect(likeness(long, long)).toBeCloseTo(1)
})
