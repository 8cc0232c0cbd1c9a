import { connect } from '@nats-io/transport-node'
import { expect, it } from 'vitest'
import { describeWithNats, startNatsServer } from './nats-server.js'

describeWithNats('a NATS server of the tests', () => {
  it('takes connections, and again after a restart on the same port', async () => {
    await using server = await startNatsServer()
    const before = server.url
    await (await connect({ servers: server.url })).close()
    await server.stop()
    await expect(connect({ servers: server.url, reconnect: false })).rejects.toThrow()
    await server.restart()
    expect(server.url).toBe(before)
    await (await connect({ servers: server.url })).close()
  })
})
