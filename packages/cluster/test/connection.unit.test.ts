import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { connectNats } from '../src/connection.js'
import { serverWarning } from '../src/server-version.js'
import { temporaryFolder } from './temporary-folder.js'

describe('the address of a NATS server', () => {
  it.each([
    ['', 'is no address'],
    ['nats', 'is no address'],
    ['http://127.0.0.1:4222', 'is no address'],
    ['nats://', 'is no address'],
    ['nats://127.0.0.1:99999', 'is no address'],
    ['nats://127.0.0.1:1,', 'is no address'],
    ['nats://nats.internal:4222', 'clear text'],
    ['nats://127.0.0.1.evil.example:4222', 'clear text'],
    ['nats://0.0.0.0:4222', 'clear text'],
    ['nats://127.0.0.1:1,nats://10.0.0.1:1', 'clear text'],
    ['nats://me:secret@127.0.0.1:4222', 'has a password'],
    ['tls://token@nats.internal', 'has a password'],
  ])('%j is refused', async (nats, reason) => {
    const refused = connectNats({ nats }, 'a test')
    await expect(refused).rejects.toThrow(TypeError)
    await expect(refused).rejects.toThrow(reason)
    await expect(refused).rejects.not.toThrow('secret')
  })
})

describe('a file of credentials', () => {
  const folder = temporaryFolder()

  it('that is not there is named', async () => {
    const refused = connectNats({ nats: 'nats://127.0.0.1:1', creds: join(folder(), 'none') }, 'a test')
    await expect(refused).rejects.toThrow(/^creds: .*none can’t be read/)
  })

  it.each([
    ['nothing', ''],
    ['a name only', 'me'],
    ['a public key', `U${'A'.repeat(55)}`],
    ['two lines', 'a:b\nc:d'],
  ])('with %s is refused', async (_, text) => {
    const creds = join(folder(), 'creds')
    await writeFile(creds, text)
    await expect(connectNats({ nats: 'nats://127.0.0.1:1', creds }, 'a test')).rejects.toThrow(
      'holds no credentials',
    )
  })
})

describe('the version of a server', () => {
  it.each(['2.11.16', '2.12.7', '2.12.10', '2.14.0', '2.14.0-RC.1', '2.15.3', '3.0.0', '10.1.2'])(
    '%s is fine',
    (version) => {
      expect(serverWarning(version)).toBeUndefined()
    },
  )

  it.each(['2.9.10', '2.11.15', '2.12.6', '2.13.9', '1.4.1', 'main', undefined])(
    '%s has known holes',
    (version) => {
      expect(serverWarning(version)).toContain(version ?? 'unknown')
    },
  )
})
