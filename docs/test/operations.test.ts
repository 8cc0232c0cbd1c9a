import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { metrics } from '../../packages/host/dist/metrics/table.js'
import { testDocument } from './document.js'
import { root } from './reader.js'
import { tableOf } from './tables.js'

// The page's own ports may be in use here.
process.env['METRICS_PORT'] = await freePort()
process.env['PORT'] = await freePort()

const { text, blocks } = testDocument('docs/operations.md', ({ reader }) => {
  const service = (file = ''): string => join(reader().path, 'service', file)

  it('lists every metric with its type, its labels and its meaning', () => {
    const known = metrics.map(({ name, type, labels, help }) => [name, type, labels.join(', '), help])
    expect(tableOf(text, 'All metrics')).toEqual(known)
  })

  it('has a Dockerfile whose instructions and files are there', () => {
    const instructions = instructionsOf(fileOf('service/Dockerfile'))
    const names = instructions.map(({ name }) => name)
    expect(names.filter((name) => !dockerInstructions.includes(name))).toEqual([])
    expect([names[0], names.at(-1)]).toEqual(['FROM', 'CMD'])
    const copied = instructions
      .filter(({ name }) => name === 'COPY')
      .flatMap(({ rest }) => rest.split(' ').slice(0, -1))
    // npm writes it where the packages are installed.
    for (const file of copied.filter((each) => each !== 'package-lock.json'))
      expect(existsSync(service(file)), file).toBe(true)
    // What runs later must not run as root.
    expect(names.indexOf('USER')).toBeLessThan(names.indexOf('HEALTHCHECK'))
  })

  it('runs the commands of the Dockerfile: not ready before, ready with it, and gone after SIGTERM', async () => {
    symlinkSync(join(root, 'docs/node_modules'), service('node_modules'), 'junction')
    const instructions = instructionsOf(fileOf('service/Dockerfile'))
    const commandOf = (wanted: string): string[] => {
      const { rest = '' } = instructions.find(({ name }) => name === wanted) ?? {}
      return JSON.parse(rest.slice(rest.indexOf('['))) as string[]
    }
    const [healthCommand = '', ...healthArgs] = commandOf('HEALTHCHECK')
    const health = async (): Promise<unknown> => {
      const port = process.env['METRICS_PORT'] ?? ''
      const probe = spawn(healthCommand, [...healthArgs, '--port', port], { cwd: service(), stdio: 'ignore' })
      return (await once(probe, 'exit'))[0]
    }
    expect(await health()).toBe(1)
    const [command = '', ...args] = commandOf('CMD')
    const app = spawn(command, args, { cwd: service(), stdio: ['ignore', 'inherit', 'inherit'] })
    const exited = once(app, 'exit')
    try {
      await expect.poll(health).toBe(0)
    } finally {
      app.kill('SIGTERM')
    }
    expect((await exited)[0]).toBe(0)
  })

  it('needs a first process in a container: Node does not collect processes whose parent is gone', ({
    skip,
  }) => {
    const isolated = ['--user', '--map-root-user', '--pid', '--fork', '--mount-proc']
    if (spawnSync('unshare', [...isolated, 'true']).status !== 0) skip()
    const { stdout } = spawnSync('unshare', [...isolated, process.execPath, '-e', leavesGrandchild], {
      encoding: 'utf8',
    })
    expect(stdout).toMatch(/^\d+ \(sleep\) Z 1 /m)
  })

  it('has a unit that systemd understands', ({ skip }) => {
    const unit = fileOf('service/service.service')
    expect(unit).not.toMatch(/^MemoryDenyWriteExecute/m)
    if (spawnSync('systemd-analyze', ['--version']).status !== 0) skip()
    writeFileSync(service('service.service'), unit.replace('/usr/bin/node', process.execPath))
    const verify = ['verify', '--man=no', service('service.service')]
    const { stderr, status } = spawnSync('systemd-analyze', verify, { encoding: 'utf8' })
    // Other units of this machine may have faults of their own.
    expect(stderr.split('\n').filter((line) => line.includes('service.service'))).toEqual([])
    expect(status).toBe(0)
  })

  it('probes in Kubernetes what is served', () => {
    const container = fileOf('service/container.yaml')
    const served = tableOf(text, 'Metrics').map(([path]) => path)
    const probed = [...container.matchAll(/path: (\S+), port: metrics/g)].map(([, path]) => path)
    expect(probed).toHaveLength(3)
    expect(probed.filter((path) => !served.includes(path))).toEqual([])
  })
})

/** A child that ends before the process that it has started. Then the processes are listed until that one has ended too. */
const leavesGrandchild = `
const fs = require('node:fs')
const statOf = (id) => { try { return fs.readFileSync('/proc/' + id + '/stat', 'utf8') } catch { return '' } }
require('node:child_process').spawn('sh', ['-c', 'sleep 0.2 & exit 0']).on('exit', () => {
  let looks = 0
  const timer = setInterval(() => {
    const all = fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).map(statOf).join('')
    if (!/[(]sleep[)] Z/.test(all) && ++looks < 100) return
    clearInterval(timer)
    console.log(all)
  }, 100)
})
`

const dockerInstructions = ['FROM', 'ENV', 'WORKDIR', 'COPY', 'RUN', 'USER', 'EXPOSE', 'HEALTHCHECK', 'CMD']

function fileOf(name: string): string {
  return blocks.find(({ attributes }) => attributes['file'] === name)?.text ?? ''
}

function instructionsOf(dockerfile: string): { name: string; rest: string }[] {
  return dockerfile
    .trim()
    .split('\n')
    .map((line) => ({ name: line.split(' ', 1)[0] ?? '', rest: line.slice(line.indexOf(' ') + 1) }))
}

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return String(port)
}
