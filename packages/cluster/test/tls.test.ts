import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectNats } from '../src/connection.js'
import { describeWithNats, type NatsServer, startNatsServer } from './nats-server.js'
import { temporaryFolder } from './temporary-folder.js'

describeWithNats('a NATS server with TLS', () => {
  const folder = temporaryFolder()
  const files = (name: string) => join(folder(), name)
  /** By the name that its certificate is for. */
  const servers = new Map<string, NatsServer>()
  let plain: NatsServer

  function openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: folder(), stdio: 'pipe' })
  }

  function certificate(name: string, subject: string, ...more: string[]): void {
    const key = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      `${name}.key`,
    ]
    openssl('req', '-x509', ...key, '-out', `${name}.pem`, '-days', '2', '-subj', `/CN=${subject}`, ...more)
  }

  beforeAll(async () => {
    for (const authority of ['ours', 'theirs']) certificate(authority, authority)
    const signed = ['-CA', 'ours.pem', '-CAkey', 'ours.key']
    for (const name of ['DNS:localhost', 'IP:127.0.0.1']) {
      const file = name.replace(':', '-')
      certificate(file, 'a server', ...signed, '-addext', `subjectAltName=${name}`)
      const config = `tls { cert_file: "${files(`${file}.pem`)}", key_file: "${files(`${file}.key`)}" }`
      servers.set(name, await startNatsServer({ config }))
    }
    plain = await startNatsServer()
  })

  afterAll(async () => {
    for (const server of [...servers.values(), plain]) await server?.[Symbol.asyncDispose]()
  })

  function connectTo(host: string, server: NatsServer | undefined, caFile?: string) {
    const tls = caFile ? { tls: { caFile: files(caFile) } } : {}
    return connectNats({ nats: `tls://${host}:${server?.port}`, connectTimeoutMs: 5000, ...tls }, 'a test')
  }

  it.each([
    ['localhost', 'DNS:localhost'],
    ['127.0.0.1', 'IP:127.0.0.1'],
  ])('is verified: %s by %s', async (host, name) => {
    const bus = await connectTo(host, servers.get(name), 'ours.pem')
    await bus.flush()
    await bus.close()
  })

  it.each([
    ['of an authority that nobody has named', 'localhost', 'DNS:localhost', undefined],
    ['of another authority', 'localhost', 'DNS:localhost', 'theirs.pem'],
    ['for another name', 'localhost', 'IP:127.0.0.1', 'ours.pem'],
    // The client alone would compare it with "localhost".
    ['for another address', '127.0.0.1', 'DNS:localhost', 'ours.pem'],
  ])('is refused with a certificate %s', async (_, host, name, caFile) => {
    await expect(connectTo(host, servers.get(name), caFile)).rejects.toMatchObject({
      codeName: 'PLUGIN_NOT_READY',
      message: expect.stringMatching(
        /^The certificate of the NATS server can’t be verified at tls:.*--nats-ca/,
      ),
      data: { transient: false },
    })
  })

  it('has to have it', async () => {
    await expect(connectTo('localhost', plain, 'ours.pem')).rejects.toThrow('The NATS server has no TLS')
  })

  it('needs files that are there', async () => {
    const refused = connectTo('localhost', servers.get('DNS:localhost'), 'none.pem')
    await expect(refused).rejects.toThrow(/^tls.caFile: .*none.pem can’t be read/)
    await expect(refused).rejects.toThrow(TypeError)
  })
})
