import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startAll, stopAll } from '../rounds.mjs'

/** The NATS server of this machine: `nats-server` in PATH, or named by `NATS_SERVER`. */
const program = process.env.NATS_SERVER ?? 'nats-server'

/** Whether there is one. */
export const hasNats = spawnSync(program, ['--version']).status === 0

/** Starts a NATS server on 127.0.0.1; it is there once this resolves. */
export async function startNatsServer({ port = -1, config = '' } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'appfactory-bench-nats-'))
  const file = join(folder, 'nats.conf')
  writeFileSync(file, config)
  const child = spawn(program, ['-c', file, '-a', '127.0.0.1', '-p', String(port)], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const exited = once(child, 'exit')
  return {
    url: `nats://127.0.0.1:${await portOf(child)}`,
    pid: child.pid,
    stop: async () => {
      child.kill('SIGKILL')
      await exited
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Three servers as one: each knows the others, and can be killed and started again. */
export async function startThreeServers() {
  const [ports, routePorts] = [await freePorts(3), await freePorts(3)]
  const routes = routePorts.map((port) => `"nats-route://127.0.0.1:${port}"`).join(', ')
  const launch = (index) =>
    startNatsServer({
      port: ports[index],
      config: `cluster { name: bench, listen: "127.0.0.1:${routePorts[index]}", routes: [${routes}] }`,
    })
  const servers = await Promise.all(ports.map((_, index) => launch(index)))
  return {
    url: servers.map(({ url }) => url).join(','),
    kill: (index) => servers[index].stop(),
    restart: async (index) => {
      servers[index] = await launch(index)
    },
    stop: () => Promise.all(servers.map(({ stop }) => stop())),
  }
}

/** As `withContenders`, where each is started with the address of one NATS server that all of them share. */
export function withNats(starts, measuresOf) {
  return async () => {
    const server = await startNatsServer()
    const begun = Object.entries(starts).map(([name, start]) => [name, () => start(server.url)])
    try {
      const started = await startAll(Object.fromEntries(begun))
      const close = () => stopAll(started).finally(server.stop)
      return { measures: measuresOf(started, server.url), close }
    } catch (error) {
      await server.stop()
      throw error
    }
  }
}

async function portOf(child) {
  let log = ''
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`nats-server ended with ${code}: ${log}`)))
    child.stderr.setEncoding('utf8').on('data', (text) => {
      log += text
      if (log.includes('Server is ready')) resolve(/client connections on \S+:(\d+)/.exec(log)[1])
    })
  })
}

async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => server.address().port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}
