import { expect, test, vi } from 'vitest'
import { KvStore } from '../../src/desired/kv-store.js'
import { subjectsOf } from '../../src/subjects.js'

vi.mock('@nats-io/kv', () => {
  throw new Error('Cannot find package')
})

test('without its client, it is said how to get it', async () => {
  const opened = KvStore.open({} as Parameters<typeof KvStore.open>[0], subjectsOf('test'))
  await expect(opened).rejects.toMatchObject({
    codeName: 'DEPENDENCY_MISSING',
    message: expect.stringContaining('npm install @nats-io/kv'),
  })
})
