import { expect, test } from 'vitest'
import { Wire, type WireLine } from '../../src/trace/wire.js'

test('messages are asked for only while somebody listens', () => {
  const wire = new Wire()
  const tap = wire.tap('tts', () => 7)
  const heard: WireLine[] = []
  const listener = (line: WireLine): void => void heard.push(line)
  expect(tap.isOn).toBe(false)
  const [endFirst, endSecond] = [wire.listen(listener), wire.listen(listener)]
  tap.sent({ id: 1 })
  endFirst()
  endFirst()
  expect(tap.isOn).toBe(true)
  tap.received('noise')
  endSecond()
  expect(tap.isOn).toBe(false)
  expect(heard.map(({ plugin, pid, direction, message }) => [plugin, pid, direction, message])).toEqual([
    ['tts', 7, 'to plugin', { id: 1 }],
    ['tts', 7, 'to plugin', { id: 1 }],
    ['tts', 7, 'from plugin', 'noise'],
  ])
})
