import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type BusChange, isUndelivered } from '../src/bus.js'
import { connectNats, type NatsBus } from '../src/connection.js'
import { describeWithNats, type NatsServer, startNatsServer } from './nats-server.js'
import { temporaryFolder } from './temporary-folder.js'

const config = `
authorization { users = [
  { user: me, password: secret, permissions: { publish: "open.>", subscribe: ["open.>", "_INBOX.>"] } }
] }`

describeWithNats('a connection to NATS', () => {
  let server: NatsServer
  let bus: NatsBus
  let creds: string
  const changes: BusChange[] = []
  const warnings: string[] = []
  const folder = temporaryFolder()

  beforeAll(async () => {
    server = await startNatsServer({ config })
    creds = join(folder(), 'me')
    await writeFile(creds, 'me:secret\n', { mode: 0o600 })
    bus = await connectNats({ nats: server.url, creds, onWarning: (text) => warnings.push(text) }, 'a test')
    bus.onChange((change) => changes.push(change))
  })

  afterAll(async () => {
    await bus?.close()
    await server?.[Symbol.asyncDispose]()
  })

  it('carries messages, and tells of those that reach nobody', async () => {
    const got: string[] = []
    bus.subscribe('open.here.*', (message) =>
      got.push(isUndelivered(message) ? `nobody: ${message.subject}` : Buffer.from(message.data).toString()),
    )
    bus.publish('open.here.x', Buffer.from('hello'), 'open.here.r')
    bus.publish('open.there', Buffer.from('hello'), 'open.here.7')
    await bus.flush()
    expect(got).toEqual(['hello', 'nobody: open.here.7'])
  })

  it('tells what the server does not allow', async () => {
    bus.publish('closed.x', Buffer.from('x'))
    bus.subscribe('closed.y', () => {})
    await expect
      .poll(() => changes)
      .toEqual([
        { type: 'refused', operation: 'publish', subject: 'closed.x' },
        { type: 'refused', operation: 'subscription', subject: 'closed.y' },
      ])
  })

  it('comes back after the server was away, with its subscriptions', async () => {
    const got: string[] = []
    bus.subscribe('open.again', ({ data }) => got.push(Buffer.from(data).toString()))
    await bus.flush()
    changes.length = 0
    await server.stop()
    await expect.poll(() => changes).toContainEqual({ type: 'lost' })
    expect(bus.isConnected).toBe(false)
    bus.publish('open.again', Buffer.from('lost'))
    await server.restart()
    await expect.poll(() => changes).toContainEqual({ type: 'back' })
    bus.publish('open.again', Buffer.from('here'))
    await bus.flush()
    expect(got).toEqual(['here'])
  })

  it('asks again where a server takes the connection and says nothing', async () => {
    let asked = 0
    const { port } = new URL(server.url)
    const proxy = createServer((socket) => {
      asked += 1
      socket.on('error', () => {})
      if (asked === 1) return
      const further = createConnection(Number(port), '127.0.0.1')
      further.on('error', () => socket.destroy())
      socket.pipe(further).pipe(socket)
    })
    await once(proxy.listen(0, '127.0.0.1'), 'listening')
    const nats = `nats://127.0.0.1:${(proxy.address() as AddressInfo).port}`
    const second = await connectNats({ nats, creds, connectTimeoutMs: 50_000 }, 'a test')
    await second.flush()
    expect(asked).toBe(2)
    await second.close()
    proxy.close()
  })

  it('warns of a server with known holes', () => {
    // Debian's, which tests run with.
    expect(warnings).toEqual([expect.stringContaining('known holes')])
  })

  it.each([
    ['a wrong password', 'me:wrong', 'NATS does not let this process in'],
    [
      'an unknown nkey',
      'SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY',
      'NATS does not let this process in',
    ],
  ])('refuses %s', async (_, text, message) => {
    const file = join(folder(), 'other')
    await writeFile(file, text)
    const refused = connectNats({ nats: server.url, creds: file }, 'a test')
    await expect(refused).rejects.toMatchObject({
      codeName: 'PLUGIN_NOT_READY',
      message: expect.stringContaining(message),
    })
  })

  it('asks for credentials where it has none', async () => {
    await expect(connectNats({ nats: server.url }, 'a test')).rejects.toMatchObject({
      codeName: 'PLUGIN_NOT_READY',
      message: expect.stringContaining('--creds'),
    })
  })

  it('says where it looked for a server', async () => {
    const refused = connectNats({ nats: 'nats://127.0.0.1:1', connectTimeoutMs: 2000 }, 'a test')
    await expect(refused).rejects.toMatchObject({
      codeName: 'PLUGIN_NOT_READY',
      message: expect.stringContaining('No NATS server answers at nats://127.0.0.1:1'),
    })
  })
})
