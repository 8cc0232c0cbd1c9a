import { expect, test } from 'vitest'
import { Followed } from '../../src/desired/followed.js'
import { MemoryStore } from './memory-store.js'

async function look(followed: Followed, store: MemoryStore): Promise<void> {
  await followed.look(async () => store)
  followed.accept()
}

function want(store: MemoryStore, from: number, to: number): void {
  for (let index = from; index < to; index++) store.set(`plugins.p${index}`, { replicas: 1 })
}

test('changes hold once they are accepted, all of them at once', async () => {
  const [store, followed] = [new MemoryStore(), new Followed()]
  store.set('plugins.old', { replicas: 1 })
  await look(followed, store)
  store.set('plugins.new', { replicas: 1 })
  const { revision = 0 } = (await store.get('plugins.old')) ?? {}
  await store.remove('plugins.old', revision)
  await followed.look(async () => store)
  expect([...followed.records.keys()]).toEqual(['old'])
  expect(followed.records.get('old')?.isRemoved).toBe(false)
  followed.accept()
  expect(followed.records.get('old')?.isRemoved).toBe(true)
  expect(followed.records.get('new')?.record).toMatchObject({ replicas: 1 })
})

test('up to 500 plugins are followed, also those of a store that was made anew', async () => {
  const [store, followed] = [new MemoryStore(), new Followed()]
  want(store, 0, 300)
  await look(followed, store)
  store.remake()
  want(store, 0, 510)
  await look(followed, store)
  expect(followed.records.size).toBe(500)
  expect(followed.records.get('p499')?.record).toMatchObject({ replicas: 1 })
})
