import { expect, test } from 'vitest'
import { Registry } from '../src/registry.js'

interface Fake {
  name: string
  instance?: { contract: { name: string } }
}

function slotOf(name: string, contract = 'tts'): Fake {
  return { name, instance: { contract: { name: contract } } }
}

function load(registry: Registry<Fake>, slot: Fake): void {
  registry.add(slot)
  registry.opened(slot, slot.name)
}

/** Another plugin takes the place of the one in the slot. */
function swap(registry: Registry<Fake>, slot: Fake, name: string): void {
  const previous = slot.name
  slot.name = name
  registry.renamed(slot, previous)
}

test('the active plugin of a contract is the one loaded or swapped in last', () => {
  const registry = new Registry<Fake>()
  const [one, two] = [slotOf('one'), slotOf('two')]
  load(registry, one)
  load(registry, two)
  load(registry, slotOf('ears', 'stt'))
  expect(registry.active('tts')).toBe('two')
  swap(registry, one, 'three')
  expect(registry.active('tts')).toBe('three')
  registry.remove(one)
  expect(registry.active('tts')).toBe('two')
  expect(registry.active('llm')).toBeUndefined()
})

test('a plugin that has no process is not active', () => {
  const registry = new Registry<Fake>()
  load(registry, { name: 'broken' })
  expect(registry.active('tts')).toBeUndefined()
})

test('a former name leads to the slot until it is loaded again', () => {
  const registry = new Registry<Fake>()
  const slot = slotOf('one')
  load(registry, slot)
  swap(registry, slot, 'two')
  expect(registry.find('one')).toBe(slot)
  expect(registry.loaded('one')).toBeUndefined()
  expect(registry.successorOf('one')).toBe('two')
  const again = slotOf('one')
  load(registry, again)
  expect(registry.find('one')).toBe(again)
  expect(registry.successorOf('one')).toBeUndefined()
})

test('a slot that was swapped while it was loaded keeps its former name', () => {
  const registry = new Registry<Fake>()
  const slot = slotOf('one')
  registry.add(slot)
  swap(registry, slot, 'two')
  registry.opened(slot, 'one')
  expect(registry.find('one')).toBe(slot)
  expect(registry.active('tts')).toBe('two')
})

test('former names go with their slot', () => {
  const registry = new Registry<Fake>()
  const slot = slotOf('one')
  load(registry, slot)
  swap(registry, slot, 'two')
  registry.remove(slot)
  expect(registry.find('one')).toBeUndefined()
  expect(registry.names()).toEqual([])
})

test('the names of a swap are taken until it is over', () => {
  const registry = new Registry<Fake>()
  const slot = slotOf('one')
  load(registry, slot)
  const release = registry.reserve(['one', 'two'])
  expect([registry.isTaken('one'), registry.isTaken('two')]).toEqual([true, true])
  swap(registry, slot, 'two')
  expect(registry.isTaken('one')).toBe(true)
  release()
  expect([registry.isTaken('one'), registry.isTaken('two')]).toEqual([false, true])
})
