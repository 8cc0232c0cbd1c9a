import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
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

/** A server that says so of itself, and takes whatever it is sent. Returns its address. */
async function pretender(info: object, answer = 'PONG\r\n'): Promise<string> {
  const told = { server_id: 'x', version: '2.12.7', headers: true, max_payload: 1048576, proto: 1, ...info }
  const server = createServer((socket) => {
    socket.on('error', () => {}).write(`INFO ${JSON.stringify(told)}\r\n`)
    socket.on('data', (said) => said.includes('PING') && socket.write(answer))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return `nats://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('a server that', () => {
  it.each([
    ['is as it should be', {}, []],
    ['is old', { version: '2.8.4' }, ['the NATS server is of version 2.8.4, which has known holes']],
  ])('%s is taken, with a warning where it deserves one', async (_, info, expected) => {
    const warnings: string[] = []
    const nats = await pretender(info)
    const bus = await connectNats({ nats, onWarning: (text) => warnings.push(text) }, 'a test')
    expect(warnings).toEqual(expected.map((text) => expect.stringContaining(text)))
    bus.publish('x', new Uint8Array(2_000_000))
    expect(warnings.at(-1)).toContain('NATS does not take 2000000 bytes for x')
    await bus.close()
  })

  it.each([
    ['tells nothing of undelivered messages', { headers: false }, /headers: false/],
    ['takes small messages only', { max_payload: 65536 }, /at most 65536 bytes, and links send 262157/],
  ])('%s is refused', async (_, info, reason) => {
    const nats = await pretender(info)
    await expect(connectNats({ nats }, 'a test')).rejects.toMatchObject({
      codeName: 'PLUGIN_NOT_READY',
      message: expect.stringMatching(reason),
      data: { servers: [nats], transient: false },
    })
  })

  it('is full is one that does not answer', async () => {
    const nats = await pretender({}, "-ERR 'maximum connections exceeded'\r\n")
    await expect(connectNats({ nats, connectTimeoutMs: 300 }, 'a test')).rejects.toMatchObject({
      message: expect.stringContaining('max_connections'),
      data: { transient: true },
    })
  })
})
