import { text } from 'node:stream/consumers'
import { PluginError } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import { memoryLink } from '../../src/link/memory-link.js'

test('carries lines and bytes both ways', async () => {
  const [one, other] = memoryLink()
  one.output.end('to the other\n')
  other.output.end('to the one\n')
  one.bytes.end('raw')
  expect(await text(other.input)).toBe('to the other\n')
  expect(await text(one.input)).toBe('to the one\n')
  expect(await text(other.bytes)).toBe('raw')
})

test('what was written before it was closed is delivered, and both ends learn of it', async () => {
  const [one, other] = memoryLink()
  one.output.write('last words\n')
  one.bytes.write('last bytes')
  one.close()
  expect(await one.closed).toBeUndefined()
  expect(await other.closed).toBeUndefined()
  expect(await text(other.input)).toBe('last words\n')
  expect(await text(other.bytes)).toBe('last bytes')
})

test('one that breaks tells both ends why, and closing it again changes nothing', async () => {
  const [one, other] = memoryLink()
  const error = new PluginError('RESOURCE_EXHAUSTED', 'too much')
  other.output.write('never read\n')
  one.close(error)
  one.close()
  expect(await one.closed).toBe(error)
  expect(await other.closed).toBe(error)
  other.close()
  expect(one.input.destroyed && other.input.destroyed).toBe(true)
})

test('its output has no room once the other end does not read', async () => {
  const [one] = memoryLink()
  let written = 0
  while (one.output.write(Buffer.alloc(16_384)) && written < 100) written += 1
  expect(written).toBeLessThan(100)
  expect(one.output.writableNeedDrain).toBe(true)
})
