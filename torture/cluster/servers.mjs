import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { endWithThis } from './children.mjs'
import { TcpProxy } from './proxy.mjs'

/** Three NATS servers that are one cluster, each behind a proxy; nobody is told of a way past the proxies. */
export class NatsServers {
  static async start(root) {
    const executable = findExecutable()
    const ports = await freePorts(6)
    const routes = ports.slice(3).map((port) => `nats://127.0.0.1:${port}`)
    const proxies = await Promise.all(ports.slice(0, 3).map((port) => TcpProxy.start(port)))
    const servers = proxies.map((proxy, index) => {
      const folder = join(root, `nats-${index}`)
      mkdirSync(folder)
      writeFileSync(
        join(folder, 'nats.conf'),
        `server_name: nats-${index}
listen: "127.0.0.1:${ports[index]}"
client_advertise: "127.0.0.1:${proxy.port}"
cluster { name: torture, listen: "127.0.0.1:${ports[index + 3]}", routes: ${JSON.stringify(routes)} }
`,
      )
      return new NatsServer(executable, folder)
    })
    await Promise.all(servers.map((server) => server.start()))
    return new NatsServers(servers, proxies)
  }

  constructor(servers, proxies) {
    this.servers = servers
    this.proxies = proxies
  }

  get urls() {
    return this.proxies.map(({ port }) => `nats://127.0.0.1:${port}`)
  }

  /** Those of a client, by the name that it tells; of all clients where none is named. */
  connections(name) {
    const all = this.proxies.flatMap(({ connections }) => [...connections])
    return name === undefined ? all : all.filter((connection) => connection.name === name)
  }

  async stop() {
    await Promise.all(this.servers.map((server) => server.kill()))
    for (const proxy of this.proxies) proxy.close()
  }
}

class NatsServer {
  #executable
  #folder
  #child

  constructor(executable, folder) {
    this.#executable = executable
    this.#folder = folder
  }

  /** Resolves when it takes connections. */
  async start() {
    const stdio = ['ignore', 'ignore', 'pipe']
    this.#child = endWithThis(spawn(this.#executable, ['-c', 'nats.conf'], { cwd: this.#folder, stdio }))
    let log = ''
    await new Promise((resolve, reject) => {
      this.#child.once('exit', (code) => reject(new Error(`nats-server ended with ${code}: ${log}`)))
      this.#child.stderr.setEncoding('utf8').on('data', (text) => {
        // Of what comes later, nobody reads anything.
        if (log.length < 100_000) log += text
        if (log.includes('Server is ready')) resolve()
      })
    })
  }

  async kill() {
    const { exitCode, signalCode } = this.#child
    if (exitCode !== null || signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }
}

function findExecutable() {
  const { NATS_SERVER: named, PATH = '' } = process.env
  const found =
    named ??
    PATH.split(delimiter)
      .map((folder) => join(folder, 'nats-server'))
      .find(existsSync)
  if (found !== undefined && existsSync(found)) return found
  throw new Error(
    'there is no NATS server: install it (apt-get install nats-server), or name it in NATS_SERVER',
  )
}

/** Servers that are started again need the same ports. */
async function freePorts(count) {
  const holders = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(holders.map((holder) => once(holder, 'listening')))
  const ports = holders.map((holder) => holder.address().port)
  await Promise.all(holders.map((holder) => once(holder.close(), 'close')))
  return ports
}
