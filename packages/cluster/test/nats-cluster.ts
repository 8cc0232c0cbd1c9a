import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type NatsServer, startNatsServer } from './nats-server.js'

/** Servers that are one NATS cluster. Resolves when each of them knows all others. */
export async function startNatsCluster(count: number): Promise<NatsServer[]> {
  const ports = await freePorts(count)
  const routes = ports.map((port) => `nats://127.0.0.1:${port}`)
  const servers = await Promise.all(
    ports.map((port) =>
      startNatsServer({
        config: `cluster { name: test, listen: "127.0.0.1:${port}", routes: ${JSON.stringify(routes)} }`,
      }),
    ),
  )
  for (const server of servers) await allKnown(server, count)
  return servers
}

/** Resolves when a server tells its clients of so many servers. */
export async function allKnown(server: NatsServer, count: number): Promise<void> {
  while ((await infoOf(server)).connect_urls?.length !== count) await delay(10)
}

/** What a server says first to each client. */
async function infoOf({ port }: NatsServer): Promise<{ connect_urls?: string[] }> {
  const socket = connect(port, '127.0.0.1')
  const [said] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return JSON.parse(said.toString().slice('INFO '.length))
}

/** Routes are written into each configuration before any server runs. */
async function freePorts(count: number): Promise<number[]> {
  const holders = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(holders.map((holder) => once(holder, 'listening')))
  const ports = holders.map((holder) => (holder.address() as AddressInfo).port)
  await Promise.all(holders.map((holder) => once(holder.close(), 'close')))
  return ports
}
